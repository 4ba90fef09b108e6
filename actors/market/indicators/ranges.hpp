#pragma once

#include <array>

#include "actors/market/indicators/oscillators.hpp"

/// Oscillators that look where a value lies within its range.
namespace troupe::market::indicators {

/// Where x lies in its range, 0 to 100; 0 when the range is a point.
inline double percent_of_range(double x, const moving_range::extremes& range) {
  const double width = range.highest - range.lowest;
  return width != 0 ? (x - range.lowest) / width * 100.0 : 0;
}

/// Slow stochastic with simple averages: K smooths the raw figure, D smooths K; both from D's first
/// bar.
struct stoch {
  static constexpr std::size_t outputs = 2;
  moving_range range;
  moving_sum slow_k;
  moving_sum slow_d;

  struct state {
    moving_range::state range;
    moving_sum::state k;
    moving_sum::state d;
  };

  std::size_t cells() const { return range.cells() + slow_k.cells() + slow_d.cells(); }
  std::array<double, 2> update(state& s, double* ring, const bar_input& bar) const {
    const auto extremes = range.update(s.range, ring, bar.high, bar.low);
    if (!extremes.full) return {none, none};
    double* const k_ring = ring + range.cells();
    if (!slow_k.update(s.k, k_ring, percent_of_range(bar.close, extremes))) return {none, none};
    const double k = s.k.sum / slow_k.period;
    if (!slow_d.update(s.d, k_ring + slow_k.cells(), k)) return {none, none};
    return {k, s.d.sum / slow_d.period};
  }
  void fields(auto& s, auto* ring, auto& v) const {
    range.fields(s.range, ring, v);
    slow_k.fields(s.k, ring + range.cells(), v);
    slow_d.fields(s.d, ring + range.cells() + slow_k.cells(), v);
  }
};

/// Fast stochastic of the RSI: K raw, D its simple average; both from D's first bar.
struct stochrsi {
  static constexpr std::size_t outputs = 2;
  relative_strength strength;
  moving_range range;
  moving_sum fast_d;

  struct state {
    relative_strength::state strength;
    moving_range::state range;
    moving_sum::state d;
  };

  std::size_t cells() const { return range.cells() + fast_d.cells(); }
  std::array<double, 2> update(state& s, double* ring, const bar_input& bar) const {
    double strong;
    if (!strength.update(s.strength, bar.close, strong)) return {none, none};
    const auto extremes = range.update(s.range, ring, strong, strong);
    if (!extremes.full) return {none, none};
    const bool moved = extremes.highest - extremes.lowest > noise();
    const double k = moved ? percent_of_range(strong, extremes) : 0;
    if (!fast_d.update(s.d, ring + range.cells(), k)) return {none, none};
    return {k, s.d.sum / fast_d.period};
  }
  void fields(auto& s, auto* ring, auto& v) const {
    strength.fields(s.strength, v);
    range.fields(s.range, ring, v);
    fast_d.fields(s.d, ring + range.cells(), v);
  }

 private:
  /// While prices stand still the RSI does, too, but for the rounding of its two averages: a range
  /// of that alone would put K anywhere. TA-Lib's bound, and more for windows where it adds up.
  double noise() const { return 1e-13 * larger(10, range.period); }
};

/// Williams' %R, -100 to 0; 0 when the range is a point.
struct willr {
  static constexpr std::size_t outputs = 1;
  moving_range range;
  using state = moving_range::state;

  std::size_t cells() const { return range.cells(); }
  std::array<double, 1> update(state& s, double* ring, const bar_input& bar) const {
    const auto extremes = range.update(s, ring, bar.high, bar.low);
    if (!extremes.full) return {none};
    const double width = extremes.highest - extremes.lowest;
    return {width != 0 ? (extremes.highest - bar.close) / width * -100.0 : 0};
  }
  void fields(auto& s, auto* ring, auto& v) const { range.fields(s, ring, v); }
};

}  // namespace troupe::market::indicators
