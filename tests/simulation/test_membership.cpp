#include <doctest/doctest.h>

#include <cstdlib>
#include <string>

#include "tests/simulation/cluster_simulation.hpp"

using namespace troupe::simulation;

namespace {

std::uint64_t number(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::stoull(text);
}

/// The first seed of 1,000 that shows the planted bug; 0 if none does.
std::uint64_t found_by(planted bug) {
  for (std::uint64_t seed = 1; seed <= 1000; ++seed)
    if (!simulate(seed, bug).failure.empty()) return seed;
  return 0;
}

}  // namespace

// TROUPE_SIMULATION_SEEDS: how many; TROUPE_SIMULATION_FIRST: from which on.
TEST_CASE("one owner by epoch, and a settled cluster once faults end") {
  const auto first = number("TROUPE_SIMULATION_FIRST", 1);
  const auto seeds = number("TROUPE_SIMULATION_SEEDS", 500);
  std::int64_t commits = 0, deaths = 0, refused = 0;
  for (auto seed = first; seed < first + seeds; ++seed) {
    const auto result = simulate(seed);
    CAPTURE(seed);
    REQUIRE(result.failure == "");
    commits += result.commits;
    deaths += result.deaths;
    refused += result.refused;
  }
  MESSAGE(seeds << " seeds: " << commits << " commits, " << refused << " refused, " << deaths
                << " deaths declared");
  CHECK(commits > 0);
  CHECK(deaths > 0);
}

TEST_CASE("the same seed gives the same run") {
  const auto a = simulate(7), b = simulate(7);
  CHECK(a.steps == b.steps);
  CHECK(a.commits == b.commits);
  CHECK(a.deaths == b.deaths);
}

TEST_CASE("planted bugs are found") {
  for (const auto bug : {planted::plain_fence, planted::owner_ignored, planted::no_reclaim}) {
    const auto seed = found_by(bug);
    MESSAGE("planted bug " << static_cast<int>(bug) << " is found by seed " << seed);
    CHECK(seed != 0);
  }
}
