#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "actors/market/indicators/averages.hpp"
#include "actors/market/indicators/oscillators.hpp"
#include "actors/market/indicators/ranges.hpp"
#include "actors/market/indicators/trends.hpp"
#include "actors/market/indicators/volatility.hpp"
#include "actors/market/indicators/volumes.hpp"

namespace troupe::market::indicators {

using any_kernel =
    std::variant<sma, ema, wma, dema, tema, trix, kama, rsi, macd, ppo, roc, mom, stoch, stochrsi,
                 willr, cci, stddev, bbands, atr, natr, adx, sar, aroon, obv, mfi, vwap>;

/// One indicator as an operator asked for it.
struct parsed_indicator {
  std::string text;                // With all parameters: `macd(12,26,9)`.
  std::vector<std::string> names;  // Of its outputs: `macd_12_26_9`, `macd_signal_12_26_9`, ...
  any_kernel kernel;
};

/// Reads `name` (with TA-Lib's default parameters) or `name(number, ...)`. Appends to `wrong` what
/// is wrong with it and what would be right; the result means nothing then.
parsed_indicator parse_indicator(std::string_view text, std::vector<std::string>& wrong);

}  // namespace troupe::market::indicators
