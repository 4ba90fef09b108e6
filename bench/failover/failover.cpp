// Three nodes under load; one after another is killed, or stopped. Measured from outside: from the
// signal to the moment when every shard of that node shows, on another node and committed, a record
// that was produced after the signal. Where the time goes is read from the survivors' logs.
//   failover [--json] [--kills N] [--stops N] [--shards N] [--rate N]
// Needs TROUPE_TEST_DSN, TROUPE_TEST_BROKERS, TROUPE_TEST_BINARY (bench/run sets them).
#include <signal.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <deque>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "app/client.hpp"
#include "bench/support/node_run.hpp"
#include "runtime/base/partition.hpp"
#include "runtime/bridge/kafka_producer.hpp"

namespace {

using namespace troupe;
using namespace troupe::bench;
using namespace troupe::test;
using namespace std::chrono_literals;
using clock_type = std::chrono::steady_clock;
using nlohmann::json;

constexpr int node_count = 3;

struct arguments {
  bool json = false;
  int kills = 50;
  int stops = 10;
  unsigned shards = 24;
  int rate = 2'000;  // Records a second of background load.
};

double ms_since(clock_type::time_point start) {
  return std::chrono::duration<double, std::milli>(clock_type::now() - start).count();
}

/// A trade of the symbol `key`; ids and times grow.
std::string trade(const std::string& key, std::int64_t id) {
  return R"({"type":"trade","symbol":")" + key + R"(","time":)" +
         std::to_string(1'700'000'000'000'000 + id * 1'000) +
         R"(,"price":"100.25","size":"1","id":)" + std::to_string(id) + "}";
}

/// A cluster of three, a load on all of its shards, and one symbol in each to ask about.
class cluster_under_load {
 public:
  explicit cluster_under_load(const arguments& a)
      : a_(a), folder_(R"("market": {"periods": ["1m"]})", a.shards, node_count) {
    if (run_troupe({"migrate", "--config", folder_.node_config()}).exit_code != 0)
      throw std::runtime_error("no database");
    for (int n = 1; n <= node_count; ++n)
      nodes_.emplace_back(
          std::vector<std::string>{troupe_binary(), "node", "--config", folder_.node_config(n)});
    for (auto& node : nodes_) node.start();
    settle();
    for (unsigned shard = 0; shard < a.shards; ++shard)
      for (int k = 0;; ++k) {
        auto key = "PROBE" + std::to_string(shard) + '-' + std::to_string(k);
        if (partition_of(key, a.shards) != shard) continue;
        probes_.push_back(std::move(key));
        break;
      }
    bridge::producer_options options;
    options.kafka = kafka_of(folder_);
    options.linger = 1ms;
    producer_ = std::make_unique<bridge::kafka_producer>(options);
    load_ = std::thread([this] { produce_all_the_time(); });
  }
  ~cluster_under_load() {
    stop_ = true;
    load_.join();
  }

  /// All shards live, three nodes have some, nothing moves.
  void settle() {
    wait_until("a settled cluster", 60s, [&] {
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

  /// Milliseconds until every shard of node `n` has applied and committed a record made after the
  /// signal.
  double fail_over(int n, int signal) {
    const auto moved = shards_of(n);
    clients_[n % node_count].reset();
    auto& survivor = client(n % node_count + 1);
    const auto start = clock_type::now();
    nodes_[static_cast<std::size_t>(n - 1)].signal(signal);
    std::map<unsigned, std::int64_t> wanted;
    for (const auto shard : moved) {
      const auto id = ++ids_;
      send(probes_[shard], id);
      wanted[shard] = id;
    }
    const auto until = clock_type::now() + 60s;
    while (!wanted.empty()) {
      if (clock_type::now() > until) throw std::runtime_error("no takeover in a minute");
      std::erase_if(wanted, [&](const auto& w) {
        const auto answer =
            survivor.ask({{"verb", "show"}, {"entity", "symbol/" + probes_[w.first]}});
        return answer.contains("state") &&
               answer.at("state").value("last_id", std::int64_t{0}) >= w.second;
      });
    }
    return ms_since(start);
  }

  void bring_back(int n, int signal) {
    auto& node = nodes_[static_cast<std::size_t>(n - 1)];
    if (signal == SIGSTOP) {
      node.signal(SIGCONT);
    } else {
      node.kill();
      node.start();
    }
    clients_[n - 1].reset();
    settle();
  }

  const cluster_folder& folder() const { return folder_; }
  std::int64_t applied_or_refused() const {
    return std::stoll(folder_.database().run(
        "select coalesce(sum((select sum(v::int8) from json_each_text(state->'applied') as a(k, "
        "v))), "
        "0)::int8 + (select coalesce(sum(refused), 0)::int8 from symbols) from entity where kind = "
        "'symbol'"));
  }
  std::int64_t finish() {
    stop_ = true;
    load_.join();
    load_ = std::thread([] {});
    if (!producer_->flush(60s)) throw std::runtime_error("records were not taken");
    wait_until("all committed", 60s, [&] {
      return folder_.database().run("select coalesce(sum(next), 0) from position") ==
             std::to_string(sent_.load());
    });
    return sent_;
  }

 private:
  app::client& client(int n) {
    auto& c = clients_[n - 1];
    if (!c) {
      app::settings s;
      s.cluster.name = "test";
      s.node.admin.port = static_cast<std::uint16_t>(folder_.admin_port(n));
      c = std::make_unique<app::client>(s);
    }
    return *c;
  }

  std::vector<unsigned> shards_of(int n) const {
    const auto text = folder_.database().run(
        "select string_agg(id::text, ' ' order by id) from shard where owner = 'node-" +
        std::to_string(n) + "'");
    std::istringstream in(text);
    std::vector<unsigned> all;
    for (unsigned shard; in >> shard;) all.push_back(shard);
    if (all.empty()) throw std::runtime_error("the node has no shards");
    return all;
  }

  void send(const std::string& key, std::int64_t id) {
    const std::lock_guard lock(mutex_);
    producer_->send("market", {key, trade(key, id), std::nullopt, std::nullopt});
    ++sent_;
  }

  void produce_all_the_time() {
    std::int64_t id = 0;
    const auto begin = clock_type::now();
    while (!stop_) {
      const auto due = static_cast<std::int64_t>(ms_since(begin) * a_.rate / 1000);
      for (; id < due; ++id) send("LOAD" + std::to_string(id % 200), 1 + id);
      std::this_thread::sleep_for(2ms);
    }
  }

  const arguments a_;
  cluster_folder folder_;
  std::deque<node_process> nodes_;
  std::unique_ptr<app::client> clients_[node_count];
  std::vector<std::string> probes_;
  std::int64_t ids_ = 0;
  std::mutex mutex_;
  std::unique_ptr<bridge::kafka_producer> producer_;
  std::atomic<std::int64_t> sent_ = 0;
  std::atomic<bool> stop_ = false;
  std::thread load_;
};

double quantile(std::vector<double> all, double q) {
  std::ranges::sort(all);
  const auto at = static_cast<std::size_t>(q * static_cast<double>(all.size() - 1) + 0.5);
  return all[std::min(at, all.size() - 1)];
}

void tell(const arguments& a, const char* name, const std::vector<double>& all) {
  if (all.empty()) return;
  const std::string prefix(name);
  print(a.json, "failover", prefix + "_p50", quantile(all, 0.5), "ms");
  print(a.json, "failover", prefix + "_p90", quantile(all, 0.9), "ms");
  print(a.json, "failover", prefix + "_p99", quantile(all, 0.99), "ms");
  print(a.json, "failover", prefix + "_worst", quantile(all, 1), "ms");
}

}  // namespace

int main(int argc, char** argv) {
  arguments a;
  CLI::App app("Fail-over");
  app.add_flag("--json", a.json);
  app.add_option("--kills", a.kills);
  app.add_option("--stops", a.stops);
  app.add_option("--shards", a.shards);
  app.add_option("--rate", a.rate);
  CLI11_PARSE(app, argc, argv);
  cluster_under_load cluster(a);
  std::mt19937_64 random(11);
  const auto run = [&](int times, int signal) {
    std::vector<double> all;
    for (int i = 0; i < times; ++i) {
      const int n = 1 + static_cast<int>(random() % node_count);
      all.push_back(cluster.fail_over(n, signal));
      std::fprintf(stderr, "%s node-%d: %.0f ms\n", signal == SIGKILL ? "SIGKILL" : "SIGSTOP", n,
                   all.back());
      cluster.bring_back(n, signal);
    }
    return all;
  };
  const auto killed = run(a.kills, SIGKILL);
  const auto stopped = run(a.stops, SIGSTOP);
  const auto sent = cluster.finish();
  if (!a.json)
    std::printf(
        "failover: 3 nodes, %u shards, %d records/s; %d x SIGKILL, %d x SIGSTOP, any node; until "
        "every shard of it has committed a record made after the signal\n",
        a.shards, a.rate, a.kills, a.stops);
  tell(a, "killed", killed);
  tell(a, "stopped", stopped);
  print(a.json, "failover", "records", static_cast<double>(sent), "records");
  print(a.json, "failover", "missing_or_double",
        static_cast<double>(sent - cluster.applied_or_refused()), "records");
}
