#include "runtime/base/fixed.hpp"

#include <doctest/doctest.h>

#include <cinttypes>
#include <cstdio>
#include <random>

using namespace troupe;

TEST_CASE("a decimal is parsed to units of 1e-8") {
  struct row {
    const char* text;
    std::int64_t units;
  };
  for (const auto& r :
       {row{"0", 0}, row{"-0", 0}, row{"3", 300'000'000}, row{"12.5", 1'250'000'000},
        row{".5", 50'000'000}, row{"5.", 500'000'000}, row{"-0.00000001", -1},
        row{"0.000000010000", 1}, row{"0007.10", 710'000'000},
        row{"92233720368.54775807", INT64_MAX}, row{"-92233720368.54775807", -INT64_MAX},
        row{"-92233720368.54775808", INT64_MIN}}) {
    CAPTURE(r.text);
    const auto parsed = parse_fixed(r.text);
    REQUIRE(parsed);
    CHECK(parsed->raw() == r.units);
  }
}

TEST_CASE("what is not exactly a fixed number is refused") {
  for (const char* text : {"",
                           ".",
                           "-",
                           "-.",
                           "+1",
                           "1e3",
                           " 1",
                           "1 ",
                           "1,5",
                           "1.2.3",
                           "--1",
                           "0x10",
                           "nan",
                           "inf",
                           "0.000000001",
                           "1.123456789",
                           "92233720368.54775808",
                           "-92233720368.54775809",
                           "92233720369",
                           "99999999999999999999999999999999999999999999999999"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_fixed(text));
  }
}

TEST_CASE("fixed numbers are written as the shortest exact decimal") {
  CHECK(to_string(fixed::from_raw(0)) == "0");
  CHECK(to_string(fixed::from_raw(1'250'000'000)) == "12.5");
  CHECK(to_string(fixed::from_raw(-1)) == "-0.00000001");
  CHECK(to_string(fixed::from_raw(10'000'000'000)) == "100");
  CHECK(to_string(fixed::from_raw(INT64_MIN)) == "-92233720368.54775808");
}

TEST_CASE("every fixed number survives writing and parsing") {
  std::mt19937_64 random(7);
  for (int i = 0; i < 100'000; ++i) {
    // All magnitudes equally often.
    const auto units = static_cast<std::int64_t>(random()) >> (random() % 64);
    const auto parsed = parse_fixed(to_string(fixed::from_raw(units)));
    REQUIRE(parsed);
    REQUIRE(parsed->raw() == units);
  }
}

TEST_CASE("parsing agrees with the eight decimals that printf writes") {
  std::mt19937_64 random(11);
  for (int i = 0; i < 10'000; ++i) {
    const auto units = static_cast<std::int64_t>(random() >> 1) >> (random() % 63);
    char text[40];
    std::snprintf(text, sizeof text, "%" PRId64 ".%08" PRId64, units / fixed::scale,
                  units % fixed::scale);
    const auto parsed = parse_fixed(text);
    REQUIRE(parsed);
    REQUIRE(parsed->raw() == units);
  }
}

TEST_CASE("sums beyond 64 bits survive writing and parsing") {
  std::mt19937_64 random(13);
  for (int i = 0; i < 10'000; ++i) {
    const wide high = static_cast<std::int64_t>(random());
    const wide units =
        (high * (wide{1} << 56) + static_cast<std::int64_t>(random() >> 8)) >> (random() % 120);
    const auto parsed = parse_wide(to_string(units));
    REQUIRE(parsed);
    REQUIRE(bool(*parsed == units));
  }
}

TEST_CASE("a sum too large for its type is refused") {
  CHECK_FALSE(parse_wide("1000000000000000000000000000000000000"));
  CHECK_FALSE(parse_wide("-1000000000000000000000000000000000000"));
  CHECK(parse_wide("10000000000000000000000000000"));
}

TEST_CASE("arithmetic refuses instead of overflowing") {
  const auto most = fixed::from_raw(INT64_MAX), least = fixed::from_raw(INT64_MIN),
             unit = fixed::from_raw(1);
  CHECK_FALSE(checked_add(most, unit));
  CHECK_FALSE(checked_subtract(least, unit));
  CHECK(checked_add(most, least) == fixed::from_raw(-1));
  CHECK(checked_subtract(unit, most) == fixed::from_raw(2 - INT64_MAX - 1));
}
