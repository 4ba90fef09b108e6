#pragma once

#include <map>
#include <string>
#include <vector>

#include "actors/market/indicators/window.hpp"

namespace troupe::market::indicators {

/// TA-Lib's own regression series of 252 daily bars, and what TA-Lib answers for it.
struct golden_series {
  std::vector<bar_input> bars;
  std::map<std::string, std::vector<double>> columns;  // NaN where TA-Lib gives no value.
};

const golden_series& golden();

}  // namespace troupe::market::indicators
