#include <doctest/doctest.h>

#include "tests/fuzz/market_checks.hpp"
#include "tests/fuzz/mutations.hpp"

using namespace troupe::market;

TEST_CASE("the corpus and seeded damages of it break nothing") {
  const auto inputs = troupe::fuzz::corpus_of(TROUPE_CORPUS);
  REQUIRE(inputs.size() >= 20);
  for (const auto& input : inputs) CHECK_NOTHROW(fuzz::check(input));
  std::mt19937 random(20'131'008);
  for (int i = 0; i < 100'000; ++i) {
    CAPTURE(i);
    REQUIRE_NOTHROW(fuzz::check(troupe::fuzz::damaged_one(inputs, random)));
  }
}
