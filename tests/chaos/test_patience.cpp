// How long a node may stand still: as long as membership.silence_max_ms says.
#include <doctest/doctest.h>
#include <signal.h>

#include <fstream>
#include <thread>

#include "tests/chaos/cluster_watch.hpp"
#include "tests/chaos/market_run.hpp"

using namespace troupe::test;
using namespace std::chrono_literals;

namespace {

/// Three nodes with nothing to do but to watch each other.
class watchful_cluster : public cluster_watch {
 public:
  explicit watchful_cluster(const std::string& membership)
      : run_({1, 0, 3}, {}, "\"membership\": " + membership) {
    run_.start();
    settle();
    for (int n = 1; n <= run_.nodes(); ++n) seen_.push_back(log_of(n).size());
  }

  node_process& node(int n) { return run_.node(n); }
  std::string lives() const {
    return sql(
        "select string_agg(concat_ws(' ', id, incarnation, state), ', ' order by id) "
        "from node");
  }
  /// Whether any node has written of an event since all was settled.
  bool told(const std::string& event) const {
    for (int n = 1; n <= run_.nodes(); ++n)
      if (log_of(n).find(event, seen_[static_cast<std::size_t>(n - 1)]) != std::string::npos)
        return true;
    return false;
  }

 private:
  const cluster_folder& folder() const override { return run_.folder(); }
  int node_count() const override { return run_.nodes(); }
  std::string log_of(int n) const {
    std::ifstream in(run_.folder().log_file(n));
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  }

  market_run run_;
  std::vector<std::size_t> seen_;
};

}  // namespace

TEST_CASE("a node that stands still for less than silence_max_ms keeps its links and its shards") {
  watchful_cluster cluster(R"({"silence_max_ms": 3000})");
  const auto before = cluster.lives();
  for (const int victim : {cluster.leader(), 1 + cluster.leader() % 3}) {
    cluster.node(victim).signal(SIGSTOP);
    std::this_thread::sleep_for(2s);  // That is what is tried.
    cluster.node(victim).signal(SIGCONT);
    for (int renewals = 0; renewals < 2; ++renewals)
      wait_until("its next renewal", 20s, [&, old = cluster.row_of(victim, "alive_until")] {
        return cluster.row_of(victim, "alive_until") != old;
      });
    CHECK(cluster.lives() == before);
    CHECK_FALSE(cluster.told(" link_lost "));
    CHECK_FALSE(cluster.told(" declares_dead "));
    cluster.settle();
  }
}

TEST_CASE("by default a node that stands still for longer is out, and comes back") {
  watchful_cluster cluster("{}");
  const int victim = cluster.leader() % 3 + 1;
  const cluster_watch::death_watch death(cluster, victim);
  cluster.node(victim).signal(SIGSTOP);
  death.wait();
  CHECK(cluster.told(" link_lost "));
  cluster.wait_for_heirs(victim);
  cluster.node(victim).signal(SIGCONT);
  wait_until("its return", 20s, [&] { return cluster.row_of(victim, "state") == "live"; });
  cluster.settle();
}
