#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "runtime/store/cluster_store.hpp"

namespace troupe::cluster {

/// What an allocation is made from.
struct allocation_input {
  struct node {
    std::string id;
    bool takes = true;   // May be given shards: linked, not draining.
    bool gives = false;  // Is to give away what it has.
  };
  struct shard {
    std::string assigned;  // Empty, or a node that is no more: to be given out at once.
    bool moving = false;   // Its former owner still has it.
  };
  std::vector<node> nodes;    // All that are alive, in any order.
  std::vector<shard> shards;  // By shard.
  /// Most shards that may be under way from one live node to another at any time.
  std::size_t moves_max = 4;
};

/// Who gets which shard. Pure and deterministic. Shards that nobody alive has are given out at
/// once, each to the node with the fewest; shards of living nodes move only from those that give,
/// or to even out a difference of two or more, a few at a time. Everything else stays.
std::vector<store::cluster_decision::assignment> allocate(const allocation_input& in);

}  // namespace troupe::cluster
