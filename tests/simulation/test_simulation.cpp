#include <doctest/doctest.h>

#include <cstdlib>
#include <string>

#include "runtime/base/log.hpp"
#include "tests/simulation/cluster_simulation.hpp"

using namespace troupe::simulation;

namespace {

/// Lost records and the like are no news here.
struct quiet {
  quiet() { troupe::log::set_level(troupe::log::level::error); }
};

std::uint64_t number(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::stoull(text);
}

/// The first seed of 1,000 that shows the planted bug, and what it shows.
std::pair<std::uint64_t, verdict> found_by(planted bug) {
  for (std::uint64_t seed = 1; seed <= 1000; ++seed)
    if (auto result = simulate(seed, bug); !result.failure.empty()) return {seed, result};
  return {0, {}};
}

}  // namespace

// TROUPE_SIMULATION_SEEDS: how many; TROUPE_SIMULATION_FIRST: from which on.
TEST_CASE_FIXTURE(quiet,
                  "every promise is kept through faults, and all comes to rest once they end") {
  const auto first = number("TROUPE_SIMULATION_FIRST", 1);
  const auto seeds = number("TROUPE_SIMULATION_SEEDS", 500);
  verdict sum;
  for (auto seed = first; seed < first + seeds; ++seed) {
    const auto result = simulate(seed);
    INFO("seed " << seed << ": TROUPE_SIMULATION_FIRST=" << seed
                 << " TROUPE_SIMULATION_SEEDS=1 runs it again\n"
                 << result.trace);
    REQUIRE(result.failure == "");
    sum.steps += result.steps;
    sum.commits += result.commits;
    sum.refused += result.refused;
    sum.deaths += result.deaths;
    sum.transfers += result.transfers;
    sum.orders += result.orders;
    sum.handed_on += result.handed_on;
    sum.never_lived += result.never_lived;
  }
  MESSAGE(seeds << " seeds: " << sum.steps << " steps, " << sum.transfers << " transfers, "
                << sum.commits << " commits, " << sum.refused << " refused, " << sum.deaths
                << " deaths declared, " << sum.orders << " orders of operators, " << sum.handed_on
                << " channels handed over with messages, " << sum.never_lived
                << " shards before they lived");
  CHECK(sum.commits > 0);
  CHECK(sum.transfers > 0);
  CHECK(sum.deaths > 0);
  CHECK(sum.orders > 0);
  CHECK(sum.handed_on > 0);
  CHECK(sum.never_lived > 0);
}

TEST_CASE_FIXTURE(quiet, "the same seed gives the same run") {
  CHECK(simulate(7).fingerprint == simulate(7).fingerprint);
  CHECK(simulate(7).fingerprint != simulate(8).fingerprint);
}

TEST_CASE_FIXTURE(quiet, "planted bugs are found, and seen again with the same seed") {
  for (const auto& [bug, name] : planted_bugs) {
    const auto [seed, result] = found_by(bug);
    MESSAGE(std::string(name) << " is found by seed " << seed << ": " << result.failure);
    CHECK(seed != 0);
    CHECK(result.trace.find("FAILED") != std::string::npos);
    CHECK(simulate(seed, bug).trace == result.trace);
  }
}
