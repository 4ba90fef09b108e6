#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "actors/trading/backtest.hpp"

namespace troupe::app {

/// A back-test and what it came to.
struct backtest_report {
  trading::backtest_settings settings;
  std::vector<std::string> files;
  trading::backtest_result result;
  std::int64_t begin = 0, end = 0;  // Of the data, microseconds since 1970.
  double seconds = 0;               // Of the run, without loading.
};

/// For people: settings, metrics, the last trades.
std::string text_of(const backtest_report& report);
/// All of it: settings, metrics, orders, fills, trades, equity. Decimals are texts, times
/// microseconds since 1970; what is not defined is null.
nlohmann::json json_of(const backtest_report& report);
nlohmann::json settings_json(const backtest_report& report);

/// `12.35`, `-3.10`; `-` when not a number.
std::string two_decimals(double value);
/// `12.35 %`.
std::string percent(double share);

}  // namespace troupe::app
