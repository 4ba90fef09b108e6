#include <doctest/doctest.h>

#include <cstdlib>
#include <string>

#include "tests/simulation/feed_simulation.hpp"

using namespace troupe::simulation;

namespace {

std::uint64_t number(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::stoull(text);
}

std::uint64_t found_by(planted_feed_bug bug) {
  for (std::uint64_t seed = 1; seed <= 1000; ++seed)
    if (!simulate_feeds(seed, bug).failure.empty()) return seed;
  return 0;
}

}  // namespace

// TROUPE_SIMULATION_SEEDS: how many; TROUPE_SIMULATION_FIRST: from which on.
TEST_CASE("every follower folds every event once and in order, whatever gets lost or dies") {
  const auto first = number("TROUPE_SIMULATION_FIRST", 1);
  const auto seeds = number("TROUPE_SIMULATION_SEEDS", 500);
  feed_result sum;
  for (auto seed = first; seed < first + seeds; ++seed) {
    const auto result = simulate_feeds(seed);
    CAPTURE(seed);
    REQUIRE(result.failure == "");
    sum.folded += result.folded;
    sum.packets += result.packets;
    sum.lost += result.lost;
    sum.reads += result.reads;
    sum.crashes += result.crashes;
    sum.cuts += result.cuts;
  }
  MESSAGE(seeds << " seeds: " << sum.folded << " events folded, " << sum.packets << " packets, "
                << sum.lost << " lost, " << sum.cuts << " cut off, " << sum.reads
                << " reads of the log, " << sum.crashes << " crashes");
  CHECK(sum.lost > 0);
  CHECK(sum.cuts > 0);
  CHECK(sum.crashes > 0);
}

TEST_CASE("planted bugs of feeds are found") {
  using enum planted_feed_bug;
  for (const auto bug : {no_gap_check, cursor_not_committed, doubles_kept}) {
    const auto seed = found_by(bug);
    MESSAGE("planted bug " << static_cast<int>(bug) << " is found by seed " << seed);
    CHECK(seed != 0);
  }
}
