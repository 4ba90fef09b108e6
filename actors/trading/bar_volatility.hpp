#pragma once

#include <cmath>

#include "actors/trading/state_fields.hpp"

namespace troupe::trading {

/// Standard deviation of the returns from bar to bar, over the last twenty, for one day of 24 hours
/// (of bars of a day: one bar).
class bar_volatility {
 public:
  static constexpr std::uint32_t returns = 20;

  void add(double close) {
    if (last_ > 0) deviation_ = window_.add(close / last_ - 1);
    last_ = close;
  }
  /// Percent; 0: not enough bars yet.
  double daily_percent(double bars_a_day) const {
    return std::isfinite(deviation_) ? deviation_ * std::sqrt(bars_a_day) * 100 : 0;
  }
  void state(state_fields& v) {
    v("last_close", last_);
    v("deviation", deviation_);
    v("returns", window_);
  }

 private:
  /// A window as state_fields knows them.
  class window {
   public:
    double add(double x) { return kernel_.update(state_, cells_.data(), x).deviation; }
    void fields(auto& v) { kernel_.fields(state_, cells_.data(), v); }

   private:
    market::indicators::moving_deviation kernel_{returns};
    market::indicators::moving_deviation::state state_;
    std::vector<double> cells_ = std::vector<double>(returns);
  };

  double last_ = 0;
  double deviation_ = market::indicators::none;
  window window_;
};

}  // namespace troupe::trading
