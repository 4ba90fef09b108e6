#include "app/market_config.hpp"

#include <doctest/doctest.h>

#include "actors/market/indicators/indicator_plan.hpp"
#include "tests/runtime/options/round_trip.hpp"

namespace troupe {
namespace {

using lines = std::vector<std::string>;
using nlohmann::json;

const auto describe_market = [](section& s, market::market_options& o) {
  market_section(o).describe(s);
};

TEST_CASE("every market option reaches its own member") {
  testing::check_every_option<market::market_options>(json::object(), describe_market);
}

TEST_CASE("every member has its option") {
  CHECK(testing::read_and_print<market::market_options>(json::object(), describe_market)
            .printed.size() == testing::members<market::market_options>());
}

TEST_CASE("the default indicators are indicators, and others are not") {
  for (const auto& text : market::market_options{}.indicators)
    CHECK_MESSAGE(market::indicator_violation(text).empty(), text);
  for (const auto* text : {"", "smart", "sma(", "sma(0)", "sma(20", "sma(20,3)", "macd(12)"})
    CHECK_MESSAGE(!market::indicator_violation(text).empty(), text);
}

TEST_CASE("market options") {
  market::market_options o;
  std::vector<violation> found;
  read_section(
      json::parse(
          R"({"periods": ["1s", "1d"], "indicators": [], "lateness_max_ms": 250, "price_max": "0.00000001",
                   "time_min": "2024-02-29", "time_max": "2024-03-01"})"),
      {"f", testing::variables({}), {}, found}, [&](section& s) { describe_market(s, o); });
  CHECK(found.empty());
  CHECK(o.periods == lines{"1s", "1d"});
  CHECK(o.indicators.empty());
  CHECK(o.lateness_max == std::chrono::milliseconds(250));
  CHECK(o.price_max == fixed::from_raw(1));
  CHECK(to_micros(o.time_min) == 1'709'164'800'000'000);
  CHECK(to_micros(o.time_max) == 1'709'251'200'000'000);
}

TEST_CASE("market options that are not allowed") {
  const auto problems =
      testing::read_and_print<market::market_options>(
          json::parse(
              R"json({"periods": ["1m", "2m"], "indicators": ["sma(20)", "smart", "vwap", "vwap"], "price_max": 5, "size_max": "-1",
                      "time_min": "2023-02-29", "time_max": "1970-1-1"})json"),
          describe_market)
          .problems;
  CHECK(
      problems ==
      lines{
          "f: periods[1] = \"2m\": must be one of 1s, 1m, 5m, 15m, 1h, 1d",
          "f: indicators[1] = \"smart\": " + market::indicator_violation("smart"),
          "f: indicators[3] = \"vwap\": stands in the list already",
          "f: price_max = 5: must be a decimal above 0 as text, such as \"0.5\", with up to 8 "
          "places",
          "f: size_max = \"-1\": must be a decimal above 0 as text, such as \"0.5\", with up to 8 "
          "places",
          "f: time_min = \"2023-02-29\": must be a day (UTC) such as \"2024-02-29\"",
          "f: time_max = \"1970-1-1\": must be a day (UTC) such as \"2024-02-29\""});
  CHECK(testing::read_and_print<market::market_options>(
            json::parse(R"({"periods": [], "time_max": "1970-01-01"})"), describe_market)
            .problems ==
        lines{"f: periods = [...]: must be a list: any of 1s, 1m, 5m, 15m, 1h, 1d",
              "f: time_max = \"1970-01-01\": must be after time_min = 1970-01-01"});
  CHECK(testing::read_and_print<market::market_options>(
            json::parse(R"json({"indicators": ["rsi(14)", "obv", "rsi( 14 )"]})json"),
            describe_market)
            .problems.size() == 1);
}

}  // namespace
}  // namespace troupe
