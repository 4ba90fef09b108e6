#include "runtime/base/rate_limiter.hpp"

#include <doctest/doctest.h>

using namespace troupe;
using namespace std::chrono_literals;

TEST_CASE("the limit holds for a second, and the next event let through tells what was held back") {
  rate_limiter limiter(2);
  const steady_time start{};
  CHECK(limiter.admit("a", start) == 0u);
  CHECK(limiter.admit("a", start + 1ms) == 0u);
  CHECK_FALSE(limiter.admit("a", start + 2ms));
  CHECK_FALSE(limiter.admit("a", start + 999ms));
  CHECK(limiter.admit("a", start + 1s) == 2u);
  CHECK(limiter.admit("a", start + 1s) == 0u);
  CHECK_FALSE(limiter.admit("a", start + 1s));
}

TEST_CASE("names do not share a limit") {
  rate_limiter limiter(1);
  const steady_time start{};
  CHECK(limiter.admit("a", start));
  CHECK(limiter.admit("b", start));
  CHECK_FALSE(limiter.admit("a", start));
}

TEST_CASE("a limit of zero lets everything through, and still tells what was held back before") {
  rate_limiter limiter(1);
  const steady_time start{};
  limiter.admit("a", start);
  limiter.admit("a", start);
  limiter.set_max(0);
  CHECK(limiter.admit("a", start) == 1u);
  for (int i = 0; i < 1000; ++i) REQUIRE(limiter.admit("a", start) == 0u);
}
