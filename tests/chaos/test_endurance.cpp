// Faults of all kinds, chosen by a seed, one after another on one cluster of five under a load that
// never stops. TROUPE_CHAOS_FAULTS: how many (usually one of each kind); TROUPE_CHAOS_SEED: others.
// A hundred by hand: see docs/operations.md.
#include <doctest/doctest.h>
#include <signal.h>

#include <algorithm>

#include "tests/chaos/faulty_cluster.hpp"
#include "tests/chaos/market_check.hpp"
#include "tests/support/services.hpp"

using namespace troupe::test;
using namespace std::chrono_literals;

namespace {

using steady = std::chrono::steady_clock;

double seconds_since(steady::time_point start) {
  return std::chrono::duration<double>(steady::now() - start).count();
}

/// Holds what has come out of the cluster against its tables, again and again as it grows.
class egress_audit {
 public:
  explicit egress_audit(faulty_cluster& cluster) : cluster_(cluster) {
    for (const auto* topic : {"market.bars", "market.indicators", "dead-letter"})
      topics_.emplace_back(cluster.run.folder(), topic);
  }

  /// All must have settled. Nothing may be missing or there twice.
  void check() {
    for (auto& topic : topics_) topic.read([](const auto&, const auto&) {});
    cluster_.check_books();
    CHECK(cluster_.run.received() + static_cast<std::int64_t>(topics_.back().taken()) ==
          cluster_.run.sent());
  }
  std::size_t taken() const {
    auto sum = cluster_.taken();
    for (const auto& topic : topics_) sum += topic.taken();
    return sum;
  }
  std::size_t skipped() const {
    auto sum = cluster_.skipped();
    for (const auto& topic : topics_) sum += topic.skipped();
    return sum;
  }

 private:
  faulty_cluster& cluster_;
  std::deque<egress_topic> topics_;
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

/// From the end of a fault until every node has its share and everything that was sent is
/// committed, delivered and heard: several times what it takes on two cores, so that only a cluster
/// that has stood still is late.
constexpr double nodes_back_max = 10, silent_back_max = 15, services_back_max = 30;

struct fault {
  const char* name;
  double recovery_max;  // Seconds.
  std::function<void(faulty_cluster&)> happen;
};

std::vector<fault> all_faults() {
  std::vector<fault> all{
      {"SIGKILL", nodes_back_max, [](auto& c) { kill_and_restart(c, {c.any_node()}); }},
      {"SIGKILL of the leader", nodes_back_max, [](auto& c) { kill_and_restart(c, {c.leader()}); }},
      {"SIGKILL of two at once", nodes_back_max,
       [](auto& c) { kill_and_restart(c, c.some_nodes(2)); }},
      {"burst of SIGKILL", nodes_back_max,
       [](auto& c) {
         for (int i = 0; i < 5; ++i) {
           const int victim = c.any_node();
           c.run.node(victim).kill();
           c.run.node(victim).start();
         }
       }},
      {"rolling restart", nodes_back_max, restart_all},
      {"SIGSTOP", silent_back_max, stop_and_continue},
      {"loss of PostgreSQL", services_back_max, [](auto&) { restart_service("postgres", "kill"); }},
      {"loss of Kafka", services_back_max,
       [](auto& c) { restart_service("kafka", c.random() % 2 == 0 ? "kill" : "stop"); }},
  };
  if (node_network::possible()) {
    const auto cut = [](auto how) { return [how](auto& c) { cut_off(c, how); }; };
    all.push_back({"partition", silent_back_max, cut(&node_network::isolate)});
    all.push_back({"mute", silent_back_max, cut(&node_network::mute)});
    all.push_back({"deaf", silent_back_max, cut(&node_network::deafen)});
  }
  return all;
}

/// Waits for it, and returns the seconds it took.
double recover(faulty_cluster& cluster, steady_load& load) {
  const auto over = steady::now();
  cluster.settle();
  load.pause();
  wait_until("everything committed, delivered and heard", 60s, [&] { return cluster.settled(); });
  return seconds_since(over);
}

void tell(const std::map<std::string, std::vector<double>>& recoveries) {
  for (auto [name, all] : recoveries) {
    std::ranges::sort(all);
    std::fprintf(stderr, "%3zu %s: recovered in %.1f s (median), %.1f s (worst)\n", all.size(),
                 name.c_str(), all[all.size() / 2], all.back());
  }
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
  steady_load load([&](int from, int to) { cluster.send(from, to); });
  load.go();
  load.pass(10);
  auto faults = all_faults();
  const auto count = fault_count(faults.size());
  std::map<std::string, std::vector<double>> recoveries;
  for (std::size_t i = 0; i < count; ++i) {
    if (i % faults.size() == 0) std::ranges::shuffle(faults, cluster.random);
    const auto& now = faults[i % faults.size()];
    CAPTURE(i);
    const std::string name = now.name;
    CAPTURE(name);
    if (cluster.random() % 2 == 0) cluster.settle();  // Else into the moves that the last has left.
    const auto begin = steady::now();
    now.happen(cluster);
    const auto lasted = seconds_since(begin);
    const auto recovered = recover(cluster, load);
    CHECK(recovered <= now.recovery_max);
    recoveries[name].push_back(recovered);
    audit.check();
    for (int n = 1; n <= cluster.run.nodes(); ++n) CHECK(cluster.run.node(n).running());
    std::fprintf(stderr, "%zu %s: lasted %.1f s, recovered in %.1f s; records %ld in, %zu out\n",
                 i + 1, now.name, lasted, recovered, cluster.run.sent(), audit.taken());
    load.go();
  }
  recover(cluster, load);
  audit.check();
  check_outcome(cluster.run.collect(), {12, load.each(), 1, 15});
  tell(recoveries);
  std::fprintf(stderr, "%zu faults, %zu records skipped by readers\n", count, audit.skipped());
}
