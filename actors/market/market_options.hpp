#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "runtime/base/clock.hpp"
#include "runtime/base/fixed.hpp"

namespace troupe::market {

/// What operators choose about market data. Identical on every node: results depend on it.
struct market_options {
  /// Bar periods: any of 1s 1m 5m 15m 1h 1d. Each costs memory and rows a symbol.
  std::vector<std::string> periods{"1m", "1d"};
  /// Indicators computed on every closed bar of every period, e.g. `sma(20)`, `macd(12,26,9)`,
  /// `rsi(14)`.
  std::vector<std::string> indicators{"sma(20)",      "ema(20)", "rsi(14)",       "macd(12,26,9)",
                                      "bbands(20,2)", "atr(14)", "stoch(14,3,3)", "adx(14)",
                                      "cci(20)",      "obv",     "mfi(14)",       "vwap"};
  /// How much older than the newest trade of its symbol a trade may be and still count into its
  /// bar. Bars close that much later; a later one is refused as `late`.
  std::chrono::milliseconds lateness_max{0};
  /// Bounds of sane input; what lies outside goes to the dead-letter topic.
  fixed price_max = fixed::from_raw(100'000'000 * fixed::scale);
  fixed size_max = fixed::from_raw(50'000'000'000 * fixed::scale);
  time_point time_min = from_micros(0);                      // 1970-01-01
  time_point time_max = from_micros(4'102'444'800'000'000);  // 2100-01-01
};

}  // namespace troupe::market
