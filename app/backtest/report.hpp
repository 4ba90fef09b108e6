#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "actors/trading/backtest.hpp"
#include "app/backtest/market_files.hpp"

namespace troupe::app {

/// A back-test and what it came to.
struct backtest_report {
  trading::backtest_settings settings;
  market_files data;
  trading::backtest_result result;
  std::int64_t begin = 0, end = 0;  // Of the data, microseconds since 1970.
  double seconds = 0;               // Of the run, without loading.
  std::uint64_t bad_lines = 0;      // Of the files, skipped.
  std::uint64_t left_out = 0;       // Records of the files of no use here.
};

/// For people: settings, metrics, denials, what was left out.
std::string text_of(const backtest_report& report);
/// All of it: settings, metrics, orders, fills, trades, equity. Decimals are texts, times
/// microseconds since 1970; what is not defined is null.
nlohmann::json json_of(const backtest_report& report);
/// All that the run depended on, besides what the files hold. `limits` is a file for `--limits`.
nlohmann::json settings_json(const backtest_report& report);

/// `12.35`, `-3.10`; `-` when not a number.
std::string two_decimals(double value);
/// `12.35 %`.
std::string percent(double share);

}  // namespace troupe::app
