#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "runtime/base/clock.hpp"

/// The parts that indicators are made of.
///
/// A kernel (or a part of one) is an immutable description: periods and factors, shared by every
/// symbol. What changes from bar to bar is its `state`, plain numbers, and its `cells`, the doubles
/// of its ring buffers, which lie right behind the state. `fields` shows both, in order and with
/// the bounds of every index, to whoever saves or restores them; whatever passes those bounds can
/// be updated without reading out of them.
namespace troupe::market::indicators {

/// One closed bar. `open_time` decides the UTC day.
struct bar_input {
  double open;
  double high;
  double low;
  double close;
  double volume;
  time_point open_time;
};

/// No value yet.
inline constexpr double none = std::numeric_limits<double>::quiet_NaN();

inline double typical_price(const bar_input& bar) {
  return (bar.high + bar.low + bar.close) / 3.0;
}

inline double larger(double a, double b) {
  return a > b ? a : b;
}
inline double smaller(double a, double b) {
  return a < b ? a : b;
}

/// For sums without a branch that would be guessed wrong half the time.
inline double one_if(bool holds) {
  return static_cast<double>(holds);
}

/// Sum of the last `period` numbers. Each lap of the ring ends with the sum added up anew, so that
/// the rounding error of a huge number is gone at most two laps after it.
struct moving_sum {
  std::uint32_t period;

  struct state {
    double sum = 0;
    double lap = 0;  // Of the numbers since the ring began anew.
    std::uint32_t at = 0;
    std::uint32_t full = 0;
  };

  std::size_t cells() const { return period; }

  /// Returns whether `s.sum` covers a whole period.
  bool update(state& s, double* ring, double x) const {
    s.sum += x - ring[s.at];
    s.lap += x;
    ring[s.at] = x;
    if (++s.at == period) {
      s.sum = s.lap;
      s.lap = 0;
      s.at = 0;
      s.full = 1;
    }
    return s.full != 0;
  }

  void fields(auto& s, auto* ring, auto& v) const {
    v.number(s.sum);
    v.number(s.lap);
    v.count(s.at, period - 1);
    v.count(s.full, 1);
    v.numbers(ring, period);
  }
};

/// Highest and lowest of the last `period` pairs in constant time: the ring holds the running
/// extremes, from the back, of the former lap, of which each new pair overwrites the oldest; the
/// state holds those of the present lap.
struct moving_range {
  std::uint32_t period;

  struct state {
    double highest = 0;
    double lowest = 0;
    std::uint32_t at = 0;
    std::uint32_t full = 0;
  };

  struct extremes {
    double highest;
    double lowest;
    bool full;
  };

  std::size_t cells() const { return std::size_t{2} * period; }

  extremes update(state& s, double* ring, double high, double low) const {
    double* const lows = ring + period;
    s.highest = s.at == 0 ? high : larger(s.highest, high);
    s.lowest = s.at == 0 ? low : smaller(s.lowest, low);
    ring[s.at] = high;
    lows[s.at] = low;
    if (++s.at == period) return end_of_lap(s, ring, lows);
    if (s.full == 0) return {none, none, false};
    return {larger(s.highest, ring[s.at]), smaller(s.lowest, lows[s.at]), true};
  }

  void fields(auto& s, auto* ring, auto& v) const {
    v.number(s.highest);
    v.number(s.lowest);
    v.count(s.at, period - 1);
    v.count(s.full, 1);
    v.numbers(ring, cells());
  }

 private:
  extremes end_of_lap(state& s, double* highs, double* lows) const {
    double highest = highs[period - 1];
    double lowest = lows[period - 1];
    for (std::size_t i = period - 1; i-- > 0;) {
      highs[i] = highest = larger(highest, highs[i]);
      lows[i] = lowest = smaller(lowest, lows[i]);
    }
    s.at = 0;
    s.full = 1;
    return {s.highest, s.lowest, true};
  }
};

/// Mean and population deviation of the last `period` numbers, from sums of differences from an
/// origin near them. Rounding has cost at most 1e-16 of all squares that were ever in the sum; when
/// the present ones are small beside those, the sums are made anew from the newest number on. So
/// twelve digits are right whatever went through, and equal numbers deviate by exactly 0.
struct moving_deviation {
  explicit moving_deviation(std::uint32_t n) : period(n), inverse(1.0 / n) {}
  std::uint32_t period;
  double inverse;

  struct state {
    double origin = 0;
    double sum = 0;
    double squares = 0;
    double wear = 0;  // Total of `squares` after each number since the sums were made.
    std::uint32_t at = 0;
    std::uint32_t full = 0;
  };

  struct moments {
    double mean;
    double deviation;
    bool full;
  };

  std::size_t cells() const { return period; }

  moments update(state& s, double* ring, double x) const {
    double gone = 0;
    if (s.full != 0) [[likely]]
      gone = ring[s.at] - s.origin;
    else if (s.at == 0)
      s.origin = x;
    const double added = x - s.origin;
    s.sum += added - gone;
    s.squares += (added - gone) * (added + gone);
    s.wear += s.squares;
    ring[s.at] = x;
    if (++s.at == period) {
      s.at = 0;
      s.full = 1;
    }
    if (s.full == 0) return {none, none, false};
    if (spread(s) < 1e-4 * s.wear) [[unlikely]] {
      const auto anew = sum_up(ring, x);
      s.origin = x;
      s.sum = anew.sum;
      s.squares = s.wear = anew.squares;
    }
    return {s.origin + s.sum * inverse, std::sqrt(spread(s) * inverse), true};
  }

  void fields(auto& s, auto* ring, auto& v) const {
    v.number(s.origin);
    v.number(s.sum);
    v.number(s.squares);
    v.number(s.wear);
    v.count(s.at, period - 1);
    v.count(s.full, 1);
    v.numbers(ring, period);
  }

 private:
  /// `period` times the variance.
  double spread(const state& s) const { return s.squares - s.sum * s.sum * inverse; }

  struct sums {
    double sum = 0;
    double squares = 0;
  };
  /// At least one `period`th of the new squares is spread, so that the sums last a while. It does
  /// not see the state, which can so stay in registers.
  [[gnu::noinline]] sums sum_up(const double* ring, double origin) const {
    sums anew;
    for (std::uint32_t i = 0; i < period; ++i) {
      const double d = ring[i] - origin;
      anew.sum += d;
      anew.squares += d * d;
    }
    return anew;
  }
};

/// Exponential average with factor 2 / (period + 1); its seed is the plain mean of the first
/// `period` numbers.
struct exponential_average {
  explicit exponential_average(std::uint32_t n) : period(n), factor(2.0 / (n + 1.0)) {}

  std::uint32_t period;
  double factor;

  struct state {
    double value = 0;
    std::uint32_t seen = 0;
  };

  /// Returns whether `s.value` is seeded.
  bool update(state& s, double x) const {
    if (s.seen == period) [[likely]] {
      s.value += (x - s.value) * factor;
      return true;
    }
    s.value += x;
    if (++s.seen < period) return false;
    s.value /= period;
    return true;
  }

  void fields(auto& s, auto& v) const {
    v.number(s.value);
    v.count(s.seen, period);
  }
};

}  // namespace troupe::market::indicators
