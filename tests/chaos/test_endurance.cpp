// Faults of all kinds, chosen by a seed, one after another on one cluster of five under a load that
// never stops. TROUPE_CHAOS_FAULTS: how many (usually one of each kind); TROUPE_CHAOS_SEED: others.
// A hundred by hand: see docs/operations.md.
#include <doctest/doctest.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <thread>

#include "runtime/bridge/history_reader.hpp"
#include "tests/chaos/egress_reader.hpp"
#include "tests/chaos/faulty_cluster.hpp"
#include "tests/support/services.hpp"

using namespace troupe::test;
using namespace std::chrono_literals;

namespace {

using steady = std::chrono::steady_clock;

constexpr auto recovery_max = 60s;

double seconds_since(steady::time_point start) {
  return std::chrono::duration<double>(steady::now() - start).count();
}

/// Market records and transfers at a steady pace, on a thread of its own.
class steady_load {
 public:
  explicit steady_load(faulty_cluster& cluster) : cluster_(cluster) {}
  ~steady_load() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }
  void go() {
    stop_ = false;
    thread_ = std::thread([this] { send_all(); });
  }
  /// Returns when all of it is in Kafka.
  void pause() {
    stop_ = true;
    thread_.join();
    if (problem_) std::rethrow_exception(problem_);
  }
  /// Records of each symbol so far.
  int each() const { return each_; }

 private:
  void send_all() {
    constexpr int step = 30;
    constexpr auto pace = 200ms;
    try {
      for (auto due = steady::now(); !stop_; due += pace) {
        std::this_thread::sleep_until(due);
        cluster_.run.send(each_, each_ + step);
        each_ += step;
        cluster_.transfer(step);
      }
    } catch (...) {
      problem_ = std::current_exception();
    }
  }

  faulty_cluster& cluster_;
  std::atomic<int> each_ = 0;
  std::atomic<bool> stop_ = false;
  std::exception_ptr problem_;
  std::thread thread_;
};

/// Reads the egress topics as they grow, and holds them against the tables.
class egress_audit {
 public:
  explicit egress_audit(const faulty_cluster& cluster) : cluster_(cluster) {
    kafka_.brokers = std::getenv("TROUPE_TEST_BROKERS");
    kafka_.topic_prefix = cluster.run.folder().prefix();
  }

  /// Everything must be delivered. Nothing may be missing or there twice, and the last that an
  /// account told of itself must be its balance.
  void check() {
    troupe::bridge::history_reader log(kafka_);
    for (const std::string topic : {"market.bars", "market.indicators", "dead-letter", "balances"})
      for (std::uint32_t p = 0; p < cluster_.run.folder().shards(); ++p)
        check_partition(log, topic, p);
    for (const auto& [account, told] : balances_) {
      CAPTURE(account);
      CHECK(cluster_.sql("select state->>'balance' from entity where kind = 'savings' and key = '" +
                         account + "'") == told);
    }
    std::size_t letters = 0;
    for (const auto& [place, part] : read_)
      if (place.first == "dead-letter") letters += part.taken.size();
    CHECK(cluster_.run.received() + static_cast<std::int64_t>(letters) == cluster_.run.sent());
  }
  std::size_t taken() const {
    std::size_t sum = 0;
    for (const auto& [place, part] : read_) sum += part.taken.size();
    return sum;
  }
  std::size_t skipped() const {
    std::size_t sum = 0;
    for (const auto& [place, part] : read_) sum += part.skipped.size();
    return sum;
  }

 private:
  void check_partition(troupe::bridge::history_reader& log, const std::string& topic,
                       std::uint32_t partition) {
    const auto range = log.range(topic, partition, 20s);
    REQUIRE(range.has_value());
    auto& part = read_[{topic, partition}];
    const auto known = part.taken.size();
    read_egress(kafka_.brokers, kafka_.kafka_name(topic), static_cast<std::int32_t>(partition),
                range->end.value(), part);
    CAPTURE(topic);
    CAPTURE(partition);
    CHECK(cluster_.sql("select coalesce(max(last), 0) from outbox_sequence where shard = " +
                       std::to_string(partition) + " and target = 'topic:" + topic + "'") ==
          std::to_string(part.taken.size()));
    if (topic != "balances") return;
    for (auto i = known; i < part.taken.size(); ++i) {
      const auto space = part.taken[i].find(' ');
      const auto what = nlohmann::json::parse(part.taken[i].substr(space + 1));
      balances_[part.taken[i].substr(0, space)] = what.at("balance").dump();
    }
  }

  const faulty_cluster& cluster_;
  troupe::bridge::kafka_options kafka_;
  std::map<std::pair<std::string, std::uint32_t>, egress_partition> read_;
  std::map<std::string, std::string> balances_;
};

void kill_and_restart(faulty_cluster& cluster, const std::vector<int>& victims) {
  for (const int n : victims) cluster.run.node(n).kill();
  if (cluster.random() % 4 != 0)
    for (const int n : victims) cluster.wait_for_heirs(n);
  for (const int n : victims) cluster.run.node(n).start();
}

void stop_and_continue(faulty_cluster& cluster) {
  const int victim = cluster.any_node();
  const faulty_cluster::death_watch death(cluster, victim);
  cluster.run.node(victim).signal(SIGSTOP);
  death.wait();
  if (cluster.random() % 2 == 0) cluster.wait_for_heirs(victim);
  if (cluster.random() % 2 == 0)  // Else it wakes up in the belief that its lease is still good.
    wait_until("the end of its lease", 60s,
               [&] { return cluster.row_of(victim, "alive_until < now()") == "t"; });
  cluster.run.node(victim).signal(SIGCONT);
}

void cut_off(faulty_cluster& cluster, void (node_network::*how)(int)) {
  const int victim = cluster.random() % 2 == 0 ? cluster.leader() : cluster.any_node();
  const faulty_cluster::death_watch death(cluster, victim);
  (cluster.run.network().*how)(victim);
  death.wait();
  if (cluster.random() % 2 == 0) cluster.wait_for_heirs(victim);
  cluster.run.network().mend();
}

void restart_all(faulty_cluster& cluster) {
  for (int n = 1; n <= cluster.run.nodes(); ++n) {
    cluster.settle();
    CHECK(cluster.run.node(n).stop() == 0);
    cluster.run.node(n).start();
  }
}

void restart_service(const std::string& name, const std::string& how) {
  services(how + ' ' + name);
  services("start " + name);
}

struct fault {
  const char* name;
  std::function<void(faulty_cluster&)> happen;
};

std::vector<fault> all_faults() {
  std::vector<fault> all{
      {"SIGKILL", [](auto& c) { kill_and_restart(c, {c.any_node()}); }},
      {"SIGKILL of the leader", [](auto& c) { kill_and_restart(c, {c.leader()}); }},
      {"SIGKILL of two at once", [](auto& c) { kill_and_restart(c, c.some_nodes(2)); }},
      {"burst of SIGKILL",
       [](auto& c) {
         for (int i = 0; i < 5; ++i) {
           const int victim = c.any_node();
           c.run.node(victim).kill();
           c.run.node(victim).start();
         }
       }},
      {"SIGSTOP", stop_and_continue},
      {"loss of PostgreSQL", [](auto&) { restart_service("postgres", "kill"); }},
      {"loss of Kafka",
       [](auto& c) { restart_service("kafka", c.random() % 2 == 0 ? "kill" : "stop"); }},
      {"rolling restart", restart_all},
  };
  if (node_network::possible()) {
    all.push_back({"partition", [](auto& c) { cut_off(c, &node_network::isolate); }});
    all.push_back({"mute", [](auto& c) { cut_off(c, &node_network::mute); }});
    all.push_back({"deaf", [](auto& c) { cut_off(c, &node_network::deafen); }});
  }
  return all;
}

std::size_t fault_count(std::size_t usual) {
  const char* text = std::getenv("TROUPE_CHAOS_FAULTS");
  return text == nullptr ? usual : std::stoull(text);
}

}  // namespace

TEST_CASE("faults of all kinds, one after another, on five nodes under a load that never stops") {
  faulty_cluster cluster(77, {12, 0, 5, 15, node_network::possible()});
  cluster.run.start();
  egress_audit audit(cluster);
  steady_load load(cluster);
  load.go();
  auto faults = all_faults();
  const auto count = fault_count(faults.size());
  double slowest = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (i % faults.size() == 0) std::ranges::shuffle(faults, cluster.random);
    const auto& now = faults[i % faults.size()];
    CAPTURE(i);
    const std::string name = now.name;
    CAPTURE(name);
    if (cluster.random() % 2 == 0) cluster.settle();  // Else into the moves that the last has left.
    const auto begin = steady::now();
    now.happen(cluster);
    const auto over = steady::now();
    cluster.settle();
    load.pause();
    wait_until("everything committed and delivered after " + name, recovery_max,
               [&] { return cluster.settled(); });
    const auto recovered = seconds_since(over);
    slowest = std::max(slowest, recovered);
    audit.check();
    cluster.check_money();
    for (int n = 1; n <= cluster.run.nodes(); ++n) CHECK(cluster.run.node(n).running());
    std::fprintf(stderr, "%zu %s: lasted %.1f s, recovered in %.1f s; records %ld in, %zu out\n",
                 i + 1, now.name, std::chrono::duration<double>(over - begin).count(), recovered,
                 cluster.run.sent(), audit.taken());
    load.go();
  }
  load.pause();
  wait_until("the end", recovery_max, [&] { return cluster.settled(); });
  cluster.check_outcome(cluster.run.collect(), load.each());
  std::fprintf(stderr, "%zu faults; slowest recovery %.1f s; %zu records skipped by readers\n",
               count, slowest, audit.skipped());
}
