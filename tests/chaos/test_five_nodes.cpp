#include <doctest/doctest.h>

#include "tests/chaos/faulty_cluster.hpp"

using namespace troupe::test;

namespace {

constexpr market_run::records amount{12, 4000, 5, 15};

}  // namespace

TEST_CASE("five nodes under load: bursts of kills, one right after the other") {
  faulty_cluster cluster(21, amount);
  cluster.check([&](steady_load& load) {
    for (int burst = 0; burst < 3; ++burst) {
      for (int i = 0; i < 6; ++i) {
        const int victim = cluster.any_node();
        cluster.run.node(victim).kill();
        cluster.run.node(victim).start();
      }
      load.pass(5);
    }
  });
}

TEST_CASE("five nodes under load: two at once") {
  faulty_cluster cluster(22, amount);
  cluster.check([&](steady_load&) {
    for (int time = 0; time < 3; ++time) {
      cluster.settle();
      const auto victims = cluster.some_nodes(2);
      for (const int n : victims) cluster.run.node(n).kill();
      for (const int n : victims) cluster.wait_for_heirs(n);
      for (const int n : victims) cluster.run.node(n).start();
    }
  });
}

TEST_CASE("five nodes under load: the leader, and whoever comes after it, down to the last") {
  faulty_cluster cluster(23, amount);
  cluster.check([&](steady_load&) {
    for (int time = 0; time < 2; ++time) {
      cluster.settle();
      std::vector<int> killed;
      while (killed.size() < 4) {
        killed.push_back(cluster.leader());
        cluster.run.node(killed.back()).kill();
        wait_until("another leader", std::chrono::seconds(30),
                   [&] { return cluster.leader() != killed.back(); });
      }
      for (const int n : killed) cluster.wait_for_heirs(n);
      for (const int n : killed) cluster.run.node(n).start();
    }
  });
}
