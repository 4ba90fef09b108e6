#include "app/feed/pace.hpp"

#include <doctest/doctest.h>

#include "app/feed/progress.hpp"
#include "app/feed/text_time.hpp"

using namespace troupe::feed;

TEST_CASE("speeds") {
  CHECK(parse_speed("max")->factor == 0);
  CHECK(parse_speed("real")->factor == 1);
  CHECK(parse_speed("2.5")->factor == 2.5);
  for (const auto* wrong : {"", "0", "-1", "fast", "1x", "nan", "inf", "1e10"}) {
    CAPTURE(wrong);
    CHECK(!parse_speed(wrong));
  }
}

TEST_CASE("events are held back until their time, at the given speed") {
  const auto began = std::chrono::steady_clock::now();
  pace holding(*parse_speed("10"));
  for (const std::int64_t t : {5'000'000, 5'200'000, 5'000'000, 5'600'000}) holding.wait_for(t);
  const auto passed = std::chrono::steady_clock::now() - began;
  CHECK(passed >= std::chrono::milliseconds(58));
  CHECK(passed < std::chrono::seconds(2));
}

TEST_CASE("times are read and written in UTC") {
  CHECK(parse_time("1998-01-02") == 883'699'200'000'000);
  CHECK(parse_time("2025-01-02T14:30:00Z") == 1'735'828'200'000'000);
  CHECK(parse_time("2025-01-02T14:30:00") == 1'735'828'200'000'000);
  for (const auto* wrong :
       {"", "1998", "1998-13-01", "1998-02-29", "1998-01-02T", "1998-01-02 10:00:00",
        "1998-01-02T24:00:00", "1998-01-02Z", "1998-01-02T10:00:00+01", "x998-01-02"}) {
    CAPTURE(wrong);
    CHECK(!parse_time(wrong));
  }
  CHECK(time_text(1'735'828'200'000'213) == "2025-01-02T14:30:00.000213Z");
}

TEST_CASE("numbers are grouped by thousands") {
  CHECK(grouped(0) == "0");
  CHECK(grouped(999) == "999");
  CHECK(grouped(1'000) == "1,000");
  CHECK(grouped(12'345'678) == "12,345,678");
}
