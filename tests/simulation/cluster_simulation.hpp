#pragma once

#include <cstdint>
#include <string>

#include "tests/simulation/planted.hpp"

/// A whole cluster in one thread: real memberships, leases, allocations and shard machines with
/// accounts that send each other money, over a simulated clock, network and database. One step
/// after another comes from the `scheduler`, which also makes all chance from the seed: the same
/// seed gives the same run.
///
///     clients ── network ── nodes ── connections ── database
///                             └ shards (machine + accounts)
///
/// - `scheduler`           time, chance, the order of steps, the trace
/// - `simulated_network`   loses, doubles, delays, reorders; is cut, one way or both
/// - `simulated_connection`  calls to the database, and what becomes of each
/// - `simulated_database`  the tables with their conditions and locks
/// - `simulated_node`      a membership and a lease, and the shards that are hosted
/// - `simulated_shard`     one life of a shard machine
/// - `simulated_clients`   ask, and ask again after silence
/// - `invariants`          what must be true at every commit and every answer
///
/// For half a minute of its own time a run makes faults: nodes crash, stand still and go on, leave,
/// are cut off from each other or from the database, which itself goes away; operators move shards,
/// drain nodes and take that back. Then all is healed, and within a bounded time the cluster must
/// come to rest: every shard with a live node, evenly; every client answered; every message
/// applied; every record out.
namespace troupe::simulation {

/// What one run came to.
struct verdict {
  std::string failure;  // Empty: every promise was kept.
  std::string trace;    // The last steps before the failure, one a line.
  std::int64_t steps = 0;
  std::int64_t commits = 0;
  std::int64_t refused = 0;  // Commits by epochs that were over.
  std::int64_t deaths = 0;
  std::int64_t transfers = 0;
  std::int64_t orders = 0;        // Of operators.
  std::int64_t handed_on = 0;     // Channels with messages that a hand-over left to the next owner.
  std::int64_t never_lived = 0;   // Shards that were handed over before they lived.
  std::uint64_t fingerprint = 0;  // Another one for every other run.
};

/// A run that fails is run again for its trace.
verdict simulate(std::uint64_t seed, planted bug = planted::nothing);

}  // namespace troupe::simulation
