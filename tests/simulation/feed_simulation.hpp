#pragma once

#include <cstdint>
#include <string>

namespace troupe::simulation {

/// Bugs that the simulated surroundings can have.
enum class planted_feed_bug : std::uint8_t {
  none,
  no_gap_check,          // A piece claims more than it holds, as if the one before had arrived.
  cursor_not_committed,  // States are saved with the cursor of the save before.
  doubles_kept,          // A batch is folded whole, whatever part of it was seen before.
};

struct feed_result {
  std::string failure;  // Empty: everything held.
  std::int64_t folded = 0, packets = 0, lost = 0, reads = 0, crashes = 0, cuts = 0;
};

/// Two sources and two shards of followers through random faults and then without any: loss, delay,
/// doubling and reordering of packets, crashes of either side, followers that do not get to their
/// packets, entities that wait, a log that cannot be read. At every step each entity folds exactly
/// the next event of what it follows; at the end it has folded all of them.
feed_result simulate_feeds(std::uint64_t seed, planted_feed_bug bug = planted_feed_bug::none);

}  // namespace troupe::simulation
