#pragma once

#include <array>

#include "actors/market/indicators/window.hpp"

/// Indicators that swing: around zero, or between two bounds.
namespace troupe::market::indicators {

/// Wilder's relative strength index, 0 while nothing has ever moved.
struct relative_strength {
  explicit relative_strength(std::uint32_t n) : period(n), keep((n - 1.0) / n) {}
  std::uint32_t period;
  double keep;

  /// Gains and losses are `period` times Wilder's averages: the index is their ratio.
  struct state {
    double last = 0;
    double gains = 0;
    double losses = 0;
    std::uint32_t seen = 0;  // Up to period + 1.
  };

  /// Returns whether `result` got a value.
  bool update(state& s, double x, double& result) const {
    const double change = x - s.last;
    const double up = larger(change, 0);
    const double down = up - change;
    s.last = x;
    if (s.seen > period) [[likely]] {
      s.gains = s.gains * keep + up;
      s.losses = s.losses * keep + down;
    } else {
      if (s.seen > 0) {
        s.gains += up;
        s.losses += down;
      }
      if (++s.seen <= period) return false;
    }
    const double both = s.gains + s.losses;
    result = both > 0 ? 100.0 * s.gains / both : 0;
    return true;
  }
  void fields(auto& s, auto& v) const {
    v.number(s.last);
    v.number(s.gains);
    v.number(s.losses);
    v.count(s.seen, period + 1);
  }
};

struct rsi {
  static constexpr std::size_t outputs = 1;
  relative_strength strength;
  using state = relative_strength::state;

  std::size_t cells() const { return 0; }
  std::array<double, 1> update(state& s, double*, const bar_input& bar) const {
    double result = none;
    strength.update(s, bar.close, result);
    return {result};
  }
  void fields(auto& s, auto*, auto& v) const { strength.fields(s, v); }
};

/// Fast EMA - slow EMA (line), its EMA (signal), and line - signal; all from the signal's first
/// bar. Both EMAs get their first value at the same bar, the slow one's: the fast seed is the mean
/// of the `fast` closes before it. Requires: fast < slow.
struct macd {
  static constexpr std::size_t outputs = 3;
  exponential_average fast;
  exponential_average slow;
  exponential_average signal;

  struct state {
    exponential_average::state fast;
    exponential_average::state slow;
    exponential_average::state signal;
  };

  std::size_t cells() const { return 0; }
  std::array<double, 3> update(state& s, double*, const bar_input& bar) const {
    if (s.slow.seen >= slow.period - fast.period) fast.update(s.fast, bar.close);
    if (!slow.update(s.slow, bar.close)) return {none, none, none};
    const double line = s.fast.value - s.slow.value;
    if (!signal.update(s.signal, line)) return {none, none, none};
    return {line, s.signal.value, line - s.signal.value};
  }
  void fields(auto& s, auto*, auto& v) const {
    fast.fields(s.fast, v);
    slow.fields(s.slow, v);
    signal.fields(s.signal, v);
  }
};

/// Distance of a fast EMA from a slow one, in percent of the slow one; unlike those of `macd` each
/// is seeded with the first closes there are. Requires: fast < slow.
struct ppo {
  static constexpr std::size_t outputs = 1;
  exponential_average fast;
  exponential_average slow;

  struct state {
    exponential_average::state fast;
    exponential_average::state slow;
  };

  std::size_t cells() const { return 0; }
  std::array<double, 1> update(state& s, double*, const bar_input& bar) const {
    fast.update(s.fast, bar.close);
    if (!slow.update(s.slow, bar.close)) return {none};
    if (s.slow.value == 0) return {0};
    return {(s.fast.value - s.slow.value) / s.slow.value * 100.0};
  }
  void fields(auto& s, auto*, auto& v) const {
    fast.fields(s.fast, v);
    slow.fields(s.slow, v);
  }
};

/// The close `period` bars ago.
struct delayed_close {
  std::uint32_t period;

  struct state {
    std::uint32_t at = 0;
    std::uint32_t full = 0;
  };

  /// Returns whether `before` got a value.
  bool update(state& s, double* ring, double x, double& before) const {
    const bool full = s.full != 0;
    before = ring[s.at];
    ring[s.at] = x;
    if (++s.at == period) {
      s.at = 0;
      s.full = 1;
    }
    return full;
  }
  void fields(auto& s, auto* ring, auto& v) const {
    v.count(s.at, period - 1);
    v.count(s.full, 1);
    v.numbers(ring, period);
  }
};

/// Rate of change in percent.
struct roc {
  static constexpr std::size_t outputs = 1;
  delayed_close delay;
  using state = delayed_close::state;

  std::size_t cells() const { return delay.period; }
  std::array<double, 1> update(state& s, double* ring, const bar_input& bar) const {
    double before;
    if (!delay.update(s, ring, bar.close, before)) return {none};
    return {before != 0 ? (bar.close / before - 1.0) * 100.0 : 0};
  }
  void fields(auto& s, auto* ring, auto& v) const { delay.fields(s, ring, v); }
};

/// Change since `period` bars ago.
struct mom {
  static constexpr std::size_t outputs = 1;
  delayed_close delay;
  using state = delayed_close::state;

  std::size_t cells() const { return delay.period; }
  std::array<double, 1> update(state& s, double* ring, const bar_input& bar) const {
    double before;
    if (!delay.update(s, ring, bar.close, before)) return {none};
    return {bar.close - before};
  }
  void fields(auto& s, auto* ring, auto& v) const { delay.fields(s, ring, v); }
};

/// Commodity channel index: how many mean deviations the typical price is off its average, times 1
/// / 0.015.
struct cci {
  static constexpr std::size_t outputs = 1;
  std::uint32_t period;

  struct state {
    std::uint32_t at = 0;
    std::uint32_t full = 0;
  };

  std::size_t cells() const { return period; }
  std::array<double, 1> update(state& s, double* ring, const bar_input& bar) const {
    const double x = typical_price(bar);
    ring[s.at] = x;
    if (++s.at == period) {
      s.at = 0;
      s.full = 1;
    }
    if (s.full == 0) return {none};
    // Relative to the newest, so that equal prices give exactly zero.
    const double off = sum_of(ring, x, plain) / period;
    const double deviations = sum_of(ring, x + off, absolute);
    return {off != 0 && deviations != 0 ? -off / (0.015 * (deviations / period)) : 0};
  }
  void fields(auto& s, auto* ring, auto& v) const {
    v.count(s.at, period - 1);
    v.count(s.full, 1);
    v.numbers(ring, period);
  }

 private:
  /// Sum of term(x[i] - from), in four streams. Not in vectors: one that covers the number just
  /// stored would wait until that has left the store buffer.
  template <class Term>
  double sum_of(const double* x, double from, Term term) const {
    const std::uint32_t quarter = period / 4;
    double a = 0, b = 0, c = 0, d = 0;
    for (std::uint32_t i = 0; i < quarter; ++i) {
      a += term(x[i] - from);
      b += term(x[i + quarter] - from);
      c += term(x[i + 2 * quarter] - from);
      d += term(x[i + 3 * quarter] - from);
    }
    for (std::uint32_t i = 4 * quarter; i < period; ++i) a += term(x[i] - from);
    return (a + b) + (c + d);
  }
  static double plain(double x) { return x; }
  static double absolute(double x) { return std::abs(x); }
};

}  // namespace troupe::market::indicators
