#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "runtime/cluster/membership.hpp"

namespace troupe::simulation {

/// Mistakes that a simulation must find when they are planted.
enum class planted : std::uint8_t {
  nothing,
  plain_fence,    // A commit looks at the epoch and writes later, without holding the row.
  owner_ignored,  // A shard is taken although its living owner has not released it.
  no_reclaim,     // Who has a shard but is not to have it cannot take it again to release it.
};

/// What one run came to.
struct verdict {
  std::string failure;  // Empty: every invariant held.
  std::int64_t steps = 0;
  std::int64_t commits = 0;
  std::int64_t refused = 0;  // Commits by epochs that were over.
  std::int64_t deaths = 0;
};

/// A whole cluster in one thread: real memberships over a simulated database, clock and network,
/// with crashes, pauses, cut and one-way links, lost and late messages, and a database that fails.
/// The same seed gives the same run.
verdict simulate(std::uint64_t seed, planted bug = planted::nothing);

}  // namespace troupe::simulation
