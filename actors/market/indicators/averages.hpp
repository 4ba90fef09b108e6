#pragma once

#include <array>

#include "actors/market/indicators/window.hpp"

/// Averages of the close. Each kernel's first value comes at bar `lookback()` (from 0), as in
/// TA-Lib.
namespace troupe::market::indicators {

/// Simple moving average.
struct sma {
  static constexpr std::size_t outputs = 1;
  moving_sum window;
  using state = moving_sum::state;

  std::size_t cells() const { return window.cells(); }
  std::array<double, 1> update(state& s, double* ring, const bar_input& bar) const {
    if (!window.update(s, ring, bar.close)) return {none};
    return {s.sum / window.period};
  }
  void fields(auto& s, auto* ring, auto& v) const { window.fields(s, ring, v); }
};

/// Exponential moving average, seeded with a simple one.
struct ema {
  static constexpr std::size_t outputs = 1;
  exponential_average average;
  using state = exponential_average::state;

  std::size_t cells() const { return 0; }
  std::array<double, 1> update(state& s, double*, const bar_input& bar) const {
    if (!average.update(s, bar.close)) return {none};
    return {s.value};
  }
  void fields(auto& s, auto*, auto& v) const { average.fields(s, v); }
};

/// Linearly weighted: the newest close weighs `period`, the oldest 1.
struct wma {
  static constexpr std::size_t outputs = 1;
  explicit wma(std::uint32_t n) : window{n}, share(2.0 / (n * (n + 1.0))) {}
  moving_sum window;
  double share;  // Of the oldest close.

  struct state {
    moving_sum::state plain;
    double weighted = 0;
    double lap = 0;
  };

  std::size_t cells() const { return window.cells(); }
  std::array<double, 1> update(state& s, double* ring, const bar_input& bar) const {
    const double before = s.plain.sum;
    const std::uint32_t rank = s.plain.at + 1;
    s.lap += rank * bar.close;
    s.weighted += window.period * bar.close - before;  // Means nothing before the first lap ends.
    const bool full = window.update(s.plain, ring, bar.close);
    if (s.plain.at == 0) {
      s.weighted = s.lap;
      s.lap = 0;
    }
    return {full ? s.weighted * share : none};
  }
  void fields(auto& s, auto* ring, auto& v) const {
    window.fields(s.plain, ring, v);
    v.number(s.weighted);
    v.number(s.lap);
  }
};

/// 2 EMA - EMA of EMA.
struct dema {
  static constexpr std::size_t outputs = 1;
  exponential_average average;

  struct state {
    exponential_average::state once;
    exponential_average::state twice;
  };

  std::size_t cells() const { return 0; }
  std::array<double, 1> update(state& s, double*, const bar_input& bar) const {
    if (!average.update(s.once, bar.close)) return {none};
    if (!average.update(s.twice, s.once.value)) return {none};
    return {2.0 * s.once.value - s.twice.value};
  }
  void fields(auto& s, auto*, auto& v) const {
    average.fields(s.once, v);
    average.fields(s.twice, v);
  }
};

/// The EMA of the EMA of the EMA, and what leads to it.
struct triple_average {
  exponential_average average;

  struct state {
    exponential_average::state once;
    exponential_average::state twice;
    exponential_average::state thrice;
  };

  bool update(state& s, double x) const {
    return average.update(s.once, x) && average.update(s.twice, s.once.value) &&
           average.update(s.thrice, s.twice.value);
  }
  void fields(auto& s, auto& v) const {
    average.fields(s.once, v);
    average.fields(s.twice, v);
    average.fields(s.thrice, v);
  }
};

/// 3 EMA - 3 EMA of EMA + EMA of EMA of EMA.
struct tema {
  static constexpr std::size_t outputs = 1;
  triple_average average;
  using state = triple_average::state;

  std::size_t cells() const { return 0; }
  std::array<double, 1> update(state& s, double*, const bar_input& bar) const {
    if (!average.update(s, bar.close)) return {none};
    return {3.0 * s.once.value - 3.0 * s.twice.value + s.thrice.value};
  }
  void fields(auto& s, auto*, auto& v) const { average.fields(s, v); }
};

/// Change in percent, from bar to bar, of a triply smoothed EMA.
struct trix {
  static constexpr std::size_t outputs = 1;
  triple_average average;
  using state = triple_average::state;

  std::size_t cells() const { return 0; }
  std::array<double, 1> update(state& s, double*, const bar_input& bar) const {
    const auto before = s.thrice;
    if (!average.update(s, bar.close) || before.seen < average.average.period) return {none};
    return {before.value != 0 ? (s.thrice.value / before.value - 1.0) * 100.0 : 0};
  }
  void fields(auto& s, auto*, auto& v) const { average.fields(s, v); }
};

/// Kaufman's adaptive average: its pace goes from that of a 30-bar EMA (noise) to that of a 2-bar
/// one (trend).
struct kama {
  static constexpr std::size_t outputs = 1;
  std::uint32_t period;

  struct state {
    double value = 0;
    double last = 0;
    double leaving = 0;  // The close before the oldest in the ring.
    double path = 0;     // Sum of the last `period` absolute changes.
    double lap = 0;
    std::uint32_t at = 0;
    std::uint32_t seen = 0;  // 0 nothing, 1 some, 2 a whole period.
  };

  std::size_t cells() const { return period; }
  std::array<double, 1> update(state& s, double* ring, const bar_input& bar) const {
    const double x = bar.close;
    if (s.seen == 0) {
      s.last = s.leaving = x;
      s.seen = 1;
    }
    const double result = s.seen == 2 ? adapt(s, ring, x) : warm_up(s, x);
    s.last = x;
    ring[s.at] = x;
    if (++s.at == period) {
      s.path = s.lap;
      s.lap = 0;
      s.at = 0;
      s.seen = 2;
    }
    return {result};
  }
  void fields(auto& s, auto* ring, auto& v) const {
    v.number(s.value);
    v.number(s.last);
    v.number(s.leaving);
    v.number(s.path);
    v.number(s.lap);
    v.count(s.at, period - 1);
    v.count(s.seen, 2);
    v.numbers(ring, period);
  }

 private:
  static double warm_up(state& s, double x) {
    const double step = std::abs(x - s.last);
    s.path += step;
    s.lap += step;
    s.value = x;
    return none;
  }
  double adapt(state& s, const double* ring, double x) const {
    const double oldest = ring[s.at];
    constexpr double slow = 2.0 / 31.0;
    constexpr double fast = 2.0 / 3.0;
    const double step = std::abs(x - s.last);
    s.path += step - std::abs(oldest - s.leaving);
    s.lap += step;
    s.leaving = oldest;
    const double way = x - oldest;
    // The sum may keep some rounding where nothing has moved any more.
    const bool still =
        way == 0 && std::all_of(ring, ring + period, [x](double c) { return c == x; });
    const double efficiency =
        still || s.path <= way || !(s.path > 0) ? 1.0 : std::abs(way) / s.path;
    const double pace = efficiency * (fast - slow) + slow;
    s.value += (x - s.value) * (pace * pace);
    return s.value;
  }
};

}  // namespace troupe::market::indicators
