#pragma once

#include <array>
#include <cmath>

#include "actors/market/indicators/window.hpp"

/// Ranges and deviations.
namespace troupe::market::indicators {

/// The bar's range, widened by the gap to the close before it.
inline double true_range(const bar_input& bar, double last_close) {
  return larger(bar.high - bar.low,
                larger(std::abs(bar.high - last_close), std::abs(bar.low - last_close)));
}

/// Population standard deviation of the close.
struct stddev {
  static constexpr std::size_t outputs = 1;
  moving_deviation window;
  using state = moving_deviation::state;

  std::size_t cells() const { return window.cells(); }
  std::array<double, 1> update(state& s, double* ring, const bar_input& bar) const {
    return {window.update(s, ring, bar.close).deviation};
  }
  void fields(auto& s, auto* ring, auto& v) const { window.fields(s, ring, v); }
};

/// Bollinger bands: upper, middle, lower; the middle is the simple average.
struct bbands {
  static constexpr std::size_t outputs = 3;
  moving_deviation window;
  double width;  // In standard deviations.
  using state = moving_deviation::state;

  std::size_t cells() const { return window.cells(); }
  std::array<double, 3> update(state& s, double* ring, const bar_input& bar) const {
    const auto now = window.update(s, ring, bar.close);
    const double reach = width * now.deviation;
    return {now.mean + reach, now.mean, now.mean - reach};
  }
  void fields(auto& s, auto* ring, auto& v) const { window.fields(s, ring, v); }
};

/// Wilder's average of the true range; the first bar has none.
struct average_true_range {
  explicit average_true_range(std::uint32_t n) : period(n), keep((n - 1.0) / n), inverse(1.0 / n) {}
  std::uint32_t period;
  double keep;
  double inverse;

  struct state {
    double last = 0;
    double sum = 0;  // `period` times the average.
    std::uint32_t seen = 0;
  };

  /// Returns the average, or nothing yet.
  double update(state& s, const bar_input& bar) const {
    const double range = true_range(bar, s.last);
    s.last = bar.close;
    if (s.seen > period) [[likely]] {
      s.sum = s.sum * keep + range;
      return s.sum * inverse;
    }
    if (s.seen > 0) s.sum += range;
    return ++s.seen > period ? s.sum * inverse : none;
  }
  void fields(auto& s, auto& v) const {
    v.number(s.last);
    v.number(s.sum);
    v.count(s.seen, period + 1);
  }
};

struct atr {
  static constexpr std::size_t outputs = 1;
  average_true_range range;
  using state = average_true_range::state;

  std::size_t cells() const { return 0; }
  std::array<double, 1> update(state& s, double*, const bar_input& bar) const {
    return {range.update(s, bar)};
  }
  void fields(auto& s, auto*, auto& v) const { range.fields(s, v); }
};

/// ATR in percent of the close.
struct natr {
  static constexpr std::size_t outputs = 1;
  average_true_range range;
  using state = average_true_range::state;

  std::size_t cells() const { return 0; }
  std::array<double, 1> update(state& s, double*, const bar_input& bar) const {
    const double average = range.update(s, bar);
    return {bar.close != 0 ? average / bar.close * 100.0 : average * 0};
  }
  void fields(auto& s, auto*, auto& v) const { range.fields(s, v); }
};

}  // namespace troupe::market::indicators
