#include "bench/failover/cluster_under_load.hpp"

#include <signal.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "bench/support/node_run.hpp"
#include "runtime/base/partition.hpp"

namespace troupe::bench {

using namespace std::chrono_literals;
using nlohmann::json;
using clock_type = std::chrono::steady_clock;

namespace {

double ms_since(clock_type::time_point start) {
  return std::chrono::duration<double, std::milli>(clock_type::now() - start).count();
}

/// A trade of the symbol `key`; ids and times grow.
std::string trade(const std::string& key, std::int64_t id) {
  return R"({"type":"trade","symbol":")" + key + R"(","time":)" +
         std::to_string(1'700'000'000'000'000 + id * 1'000) +
         R"(,"price":"100.25","size":"1","id":)" + std::to_string(id) + "}";
}

/// A symbol that lives in `shard`.
std::string symbol_in(unsigned shard, unsigned shards) {
  for (int k = 0;; ++k) {
    auto key = "PROBE" + std::to_string(shard) + '-' + std::to_string(k);
    if (partition_of(key, shards) == shard) return key;
  }
}

/// Lets a node log when each of its shards is taken, and live.
void log_shards(const std::string& config_file) {
  auto config = json::parse(std::ifstream(config_file));
  config["log"]["components"] = {{"entity", "debug"}};
  std::ofstream(config_file) << config.dump();
}

}  // namespace

/// Sends a record to one shard of a node after the other, each when the node has shown the one
/// before as committed, and notes the longest wait.
class cluster_under_load::prober {
 public:
  struct wait {
    double ms = 0;
    clock_type::time_point from{};
    unsigned shard = 0;
  };
  prober(cluster_under_load& cluster, int node)
      : cluster_(cluster), shards_(cluster.shards_of(node)), client_(cluster.connect(node)) {
    thread_ = std::thread([this] { probe(); });
  }
  ~prober() {
    if (thread_.joinable()) longest();
  }
  /// Ends it.
  wait longest() {
    stop_ = true;
    thread_.join();
    if (problem_) std::rethrow_exception(problem_);
    return longest_;
  }
  /// From here on: of those that end later.
  void reset() {
    const std::lock_guard lock(mutex_);
    longest_ = {};
  }

 private:
  void probe() {
    try {
      for (std::size_t i = 0; !stop_; ++i) {
        const auto shard = shards_[i % shards_.size()];
        const auto start = clock_type::now();
        const auto id = cluster_.send_probe(shard);
        while (!cluster_.shows(*client_, shard, id)) {
          if (ms_since(start) > 60'000) throw std::runtime_error("a shard has stood still");
          std::this_thread::sleep_for(500us);
        }
        const std::lock_guard lock(mutex_);
        if (ms_since(start) > longest_.ms) longest_ = {ms_since(start), start, shard};
      }
    } catch (...) {
      problem_ = std::current_exception();
    }
  }

  cluster_under_load& cluster_;
  const std::vector<unsigned> shards_;
  std::unique_ptr<app::client> client_;
  std::mutex mutex_;
  wait longest_;
  std::atomic<bool> stop_ = false;
  std::exception_ptr problem_;
  std::thread thread_;
};

cluster_under_load::cluster_under_load(const shape& what)
    : what_(what),
      network_(what.own_network ? std::optional<test::node_network>(std::in_place, node_count)
                                : std::nullopt),
      folder_(R"("market": {"periods": ["1m"]})", what.shards, node_count,
              network_ ? &*network_ : nullptr) {
  if (test::run_troupe({"migrate", "--config", folder_.node_config()}).exit_code != 0)
    throw std::runtime_error("no database");
  std::vector<std::string> logs;
  for (int n = 1; n <= node_count; ++n) {
    log_shards(folder_.node_config(n));
    logs.push_back(folder_.log_file(n));
    std::vector<std::string> command{test::troupe_binary(), "node", "--config",
                                     folder_.node_config(n)};
    nodes_.emplace_back(network_ ? network_->command(n, std::move(command)) : std::move(command));
  }
  timeline_.emplace(std::move(logs));
  for (auto& node : nodes_) node.start();
  settle();
  for (unsigned shard = 0; shard < what.shards; ++shard)
    probes_.push_back(symbol_in(shard, what.shards));
  bridge::producer_options options;
  options.kafka = kafka_of(folder_);
  options.linger = 1ms;
  producer_ = std::make_unique<bridge::kafka_producer>(options);
  load_ = std::thread([this] { produce_all_the_time(); });
}

cluster_under_load::~cluster_under_load() {
  stop_ = true;
  if (load_.joinable()) load_.join();
}

/// All shards live, all nodes have some, nothing moves.
void cluster_under_load::settle() {
  test::wait_until("a settled cluster", 60s, [&] {
    try {
      const auto s = client(1).ask({{"verb", "status"}});
      const auto live = std::ranges::count_if(s.value("nodes", json::array()), [](const auto& n) {
        return n.at("state") == "live" && n.at("shards").at("live") > 0;
      });
      return live == node_count && s.at("shards").at("live") == s.at("shards").at("total") &&
             s.at("shards").at("moving") == 0;
    } catch (const app::client_error&) {
      clients_[0].reset();  // It may have begun anew.
      return false;
    }
  });
}

void cluster_under_load::happen(int node, fault how) {
  auto& process = nodes_[static_cast<std::size_t>(node - 1)];
  if (how == fault::kill) process.signal(SIGKILL);
  if (how == fault::stop) process.signal(SIGSTOP);
  if (how == fault::partition) network_.value().isolate(node);
}

fail_over cluster_under_load::strike(int node, fault how) {
  const auto moved = shards_of(node);
  const auto victim = std::stoll(folder_.database().run(
      "select incarnation from node where id = 'node-" + std::to_string(node) + "'"));
  clients_[node % node_count].reset();
  auto& survivor = client(node % node_count + 1);
  auto probers = probe_all_but(node);
  timeline_->skip();
  for (auto& p : probers) p->reset();
  const auto start = clock_type::now();
  const auto start_by_calendar = std::chrono::system_clock::now();
  happen(node, how);
  std::map<unsigned, std::int64_t> wanted;
  for (const auto shard : moved) wanted[shard] = send_probe(shard);
  while (!wanted.empty()) {
    if (ms_since(start) > 60'000) throw std::runtime_error("no takeover in a minute");
    std::erase_if(wanted, [&](const auto& w) { return shows(survivor, w.first, w.second); });
    if (!wanted.empty()) std::this_thread::sleep_for(500us);
  }
  fail_over result;
  result.total = ms_since(start);
  for (auto& p : probers) {
    const auto longest = p->longest();
    if (longest.ms <= result.longest_wait) continue;
    result.longest_wait = longest.ms;
    result.longest_wait_from =
        std::chrono::duration<double, std::milli>(longest.from - start).count();
    result.longest_wait_shard = longest.shard;
  }
  result.parts = timeline_->read(static_cast<std::size_t>(node - 1), victim,
                                 {moved.begin(), moved.end()}, start_by_calendar, result.total);
  return result;
}

void cluster_under_load::bring_back(int node, fault how) {
  auto& process = nodes_[static_cast<std::size_t>(node - 1)];
  if (how == fault::stop) process.signal(SIGCONT);
  if (how == fault::partition) network_.value().mend();
  if (how == fault::kill) {
    process.kill();
    process.start();
  }
  clients_[node - 1].reset();
  settle();
}

double cluster_under_load::longest_wait_undisturbed(std::chrono::milliseconds span) {
  auto probers = probe_all_but(0);
  std::this_thread::sleep_for(span);
  double longest = 0;
  for (auto& p : probers) longest = std::max(longest, p->longest().ms);
  return longest;
}

/// Returns once each has seen how a record passes.
std::vector<std::unique_ptr<cluster_under_load::prober>> cluster_under_load::probe_all_but(
    int node) {
  std::vector<std::unique_ptr<prober>> all;
  for (int n = 1; n <= node_count; ++n)
    if (n != node) all.push_back(std::make_unique<prober>(*this, n));
  return all;
}

cluster_under_load::account cluster_under_load::finish() {
  stop_ = true;
  load_.join();
  if (!producer_->flush(60s) || producer_->figures().failed > 0)
    throw std::runtime_error("records were not taken");
  account all;
  for (const auto& [symbol, sent] : sent_) all.records += sent;
  const auto& db = folder_.database();
  test::wait_until("all committed", 60s, [&] {
    return db.run("select coalesce(sum(next), 0) from position") == std::to_string(all.records);
  });
  const auto applied = json::parse(db.run(
      "select coalesce(json_object_agg(symbol, n), '{}') from (select symbol, sum(applied) n from "
      "symbol_events group by symbol) x"));
  for (const auto& [symbol, sent] : sent_) {
    const auto n = applied.value(symbol, std::int64_t{0});
    all.missing += std::max<std::int64_t>(0, sent - n);
    all.twice += std::max<std::int64_t>(0, n - sent);
  }
  all.twice += std::stoll(db.run("select coalesce(sum(refused), 0) from symbols"));
  return all;
}

std::unique_ptr<app::client> cluster_under_load::connect(int node) const {
  auto s = settings_of(folder_, node);
  std::unique_ptr<app::client> made;
  if (!network_) return std::make_unique<app::client>(s);
  s.node.admin.host = network_->host(node);
  network_->inside(node, [&] { made = std::make_unique<app::client>(s); });
  return made;
}

app::client& cluster_under_load::client(int node) {
  auto& c = clients_[node - 1];
  if (!c) c = connect(node);
  return *c;
}

std::vector<unsigned> cluster_under_load::shards_of(int node) const {
  const auto text = folder_.database().run(
      "select string_agg(id::text, ' ' order by id) from shard where owner = 'node-" +
      std::to_string(node) + "'");
  std::istringstream in(text);
  std::vector<unsigned> all;
  for (unsigned shard; in >> shard;) all.push_back(shard);
  if (all.empty()) throw std::runtime_error("the node has no shards");
  return all;
}

void cluster_under_load::send(const std::string& key, std::int64_t id) {
  const std::lock_guard lock(mutex_);
  producer_->send("market", {key, trade(key, id), std::nullopt, std::nullopt});
  ++sent_[key];
}

std::int64_t cluster_under_load::send_probe(unsigned shard) {
  const auto id = ++ids_;
  send(probes_[shard], id);
  return id;
}

bool cluster_under_load::shows(app::client& of, unsigned shard, std::int64_t id) const {
  const auto answer = of.ask({{"verb", "show"}, {"entity", "symbol/" + probes_[shard]}});
  return answer.contains("state") && answer.at("state").value("last_id", std::int64_t{0}) >= id;
}

void cluster_under_load::produce_all_the_time() {
  std::int64_t id = 0;
  const auto begin = clock_type::now();
  while (!stop_) {
    const auto due = static_cast<std::int64_t>(ms_since(begin) * what_.rate / 1000);
    for (; id < due; ++id) send("LOAD" + std::to_string(id % 200), 1 + id);
    std::this_thread::sleep_for(2ms);
  }
}

}  // namespace troupe::bench
