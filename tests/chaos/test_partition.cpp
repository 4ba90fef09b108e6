// One node cut off from the others under load, while all of them still reach PostgreSQL and Kafka.
#include <doctest/doctest.h>

#include "tests/chaos/faulty_cluster.hpp"

using namespace troupe::test;
using namespace std::chrono_literals;

namespace {

constexpr market_run::records amount{12, 4000, 3, 8, true};

using cut = void (node_network::*)(int);

void cut_off(faulty_cluster& cluster, int victim, cut how) {
  const faulty_cluster::death_watch death(cluster, victim);
  (cluster.run.network().*how)(victim);
  death.wait();
  cluster.wait_for_heirs(victim);
}

/// Cuts off the leader, then any node; each until it has been declared dead and the others have its
/// shards, the second until it has tried again, too.
void check_partition(std::uint64_t seed, cut how) {
  faulty_cluster cluster(seed, amount);
  cluster.check([&](steady_load&) {
    cluster.settle();
    cut_off(cluster, cluster.leader(), how);
    cluster.run.network().mend();
    cluster.settle();
    const int victim = cluster.any_node();
    cut_off(cluster, victim, how);
    wait_until("its return", 30s, [&] { return cluster.row_of(victim, "state") == "live"; });
    const faulty_cluster::death_watch again(cluster, victim);
    again.wait();
    cluster.wait_for_heirs(victim);
    cluster.run.network().mend();
    cluster.settle();
  });
}

const auto impossible = doctest::skip(!node_network::possible());

}  // namespace

TEST_CASE("a node that neither reaches the others nor is reached" * impossible) {
  check_partition(11, &node_network::isolate);
}

TEST_CASE("a node that hears the others, but is not heard" * impossible) {
  check_partition(12, &node_network::mute);
}

TEST_CASE("a node that is heard, but does not hear the others" * impossible) {
  check_partition(13, &node_network::deafen);
}
