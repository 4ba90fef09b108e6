#include "app/market_config.hpp"

#include <array>
#include <cstdio>

#include "actors/market/indicators/indicator_plan.hpp"

namespace troupe {
namespace {

using nlohmann::json;
using namespace std::chrono;

constexpr std::array<std::string_view, 6> known_periods{"1s", "1m", "5m", "15m", "1h", "1d"};

std::string check_period(const std::string& period) {
  if (std::ranges::find(known_periods, period) != known_periods.end()) return {};
  return "must be one of 1s, 1m, 5m, 15m, 1h, 1d";
}

/// A price or size: a text, because JSON's numbers are not exact.
option_def decimal(std::string name, fixed& member, std::string text) {
  const std::string allowed = "a decimal above 0 as text, such as \"0.5\", with up to 8 places";
  const auto take = [=, &member](const json& v) -> faults {
    const auto value = v.is_string() ? parse_fixed(v.get<std::string>()) : std::nullopt;
    if (!value || *value <= fixed{}) return must_be(allowed);
    member = *value;
    return {};
  };
  return {std::move(name), std::move(text), allowed, to_string(member), take};
}

std::optional<time_point> parse_day(const std::string& text) {
  int year_number = 0, length = 0;
  unsigned month_number = 0, day_number = 0;
  if (text.size() != 10 ||
      std::sscanf(text.c_str(), "%4d-%2u-%2u%n", &year_number, &month_number, &day_number,
                  &length) != 3 ||
      length != 10)
    return std::nullopt;
  const year_month_day date{year{year_number}, month{month_number}, day{day_number}};
  if (!date.ok()) return std::nullopt;
  return sys_days{date};
}

std::string day_text(time_point t) {
  const year_month_day date{floor<days>(t)};
  std::array<char, 32> out{};
  std::snprintf(out.data(), out.size(), "%04d-%02u-%02u", int{date.year()}, unsigned{date.month()},
                unsigned{date.day()});
  return out.data();
}

option_def date(std::string name, time_point& member, std::string text) {
  const std::string allowed = "a day (UTC) such as \"2024-02-29\"";
  const auto take = [=, &member](const json& v) -> faults {
    const auto value = v.is_string() ? parse_day(v.get<std::string>()) : std::nullopt;
    if (!value) return must_be(allowed);
    member = *value;
    return {};
  };
  return {std::move(name), std::move(text), allowed, day_text(member), take};
}

void describe(section& s, market::market_options& o) {
  auto& [periods, indicators, lateness_max, price_max, size_max, time_min, time_max] = o;
  s.list("periods", periods, 1, "any of 1s, 1m, 5m, 15m, 1h, 1d", check_period,
         "Lengths of the bars that every symbol keeps. Each costs memory, and a row and its "
         "indicators at every close: 1s sixty times as many as 1m.");
  s.list("indicators", indicators, 0, "names with their parameters, such as sma(20)",
         market::indicator_violation,
         "Indicators computed at every closed bar of every period. Each costs a row a bar, some "
         "CPU, and memory as long as its window.");
  const auto wrong = market::indicator_violations(indicators);
  s.rule(wrong.empty(), "indicators", {}, wrong.empty() ? "" : wrong.front());
  s.duration("lateness_max_ms", lateness_max, {0, 86'400'000},
             "How much older than the newest trade of its symbol a trade may be and still count "
             "into its bar. More admits more disorder, and every bar closes that much later; 0 "
             "closes at once and refuses every straggler as late.");
  s.option(decimal(
      "price_max", price_max,
      "Higher prices go to the dead-letter topic. Lower catches more typing errors; too low "
      "refuses real prices."));
  s.option(decimal("size_max", size_max,
                   "Larger sizes go to the dead-letter topic, as with price_max."));
  s.option(date("time_min", time_min,
                "Events before the start of this day go to the dead-letter topic. Later catches "
                "more broken clocks; too late refuses real history."));
  s.option(
      date("time_max", time_max,
           "Events from the start of this day on go to the dead-letter topic. One event from the "
           "future closes the bars of its symbol: earlier catches more of them."));
  s.rule(time_min < time_max, "time_max", {"time_min"},
         "must be after time_min = " + day_text(time_min));
}

}  // namespace

domain_section market_section(market::market_options& options) {
  return {"market",
          "Market data: what every symbol computes, and the bounds of sane input. A change holds "
          "from the next bar on.",
          [&options](section& s) { describe(s, options); }};
}

}  // namespace troupe
