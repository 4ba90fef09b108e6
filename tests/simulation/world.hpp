#pragma once

#include <memory>
#include <vector>

#include "tests/simulation/simulated_node.hpp"

namespace troupe::simulation {

/// Everything there is in one run.
struct world {
  world(std::uint64_t seed, planted what, bool tracing);

  simulated_node* find(incarnation life) {
    for (const auto& n : nodes)
      if (n->runs(life)) return n.get();
    return nullptr;
  }

  scheduler time;
  const planted bug;
  const std::uint32_t shards;
  simulated_network network;
  simulated_database database;
  shard_setup setup;
  supervision_limits supervision;
  cluster::membership_options membership;
  cluster::lease_options lease;
  std::vector<std::unique_ptr<simulated_node>> nodes;
};

}  // namespace troupe::simulation
