#pragma once

#include <array>

#include "actors/market/indicators/volatility.hpp"

/// Directions and stops.
namespace troupe::market::indicators {

/// Wilder's directional movement: ADX (first at 2 period - 1), +DI and -DI (first at period).
struct adx {
  static constexpr std::size_t outputs = 3;
  explicit adx(std::uint32_t n) : period(n), keep((n - 1.0) / n), inverse(1.0 / n) {}
  std::uint32_t period;
  double keep;
  double inverse;

  struct state {
    double high = 0;
    double low = 0;
    double close = 0;
    double plus = 0;
    double minus = 0;
    double range = 0;
    double strength = 0;  // `period` times ADX.
    std::uint32_t seen = 0;
  };

  std::size_t cells() const { return 0; }
  std::array<double, 3> update(state& s, double*, const bar_input& bar) const {
    const double up = bar.high - s.high;
    const double down = s.low - bar.low;
    const double plus = larger(up, 0) * one_if(up > down);
    const double minus = larger(down, 0) * one_if(down > up);
    const double range = true_range(bar, s.close);
    s.high = bar.high;
    s.low = bar.low;
    s.close = bar.close;
    if (s.seen < period) return warm_up(s, plus, minus, range);
    s.plus = s.plus * keep + plus;
    s.minus = s.minus * keep + minus;
    s.range = s.range * keep + range;
    return {strength(s), share(s.plus, s.range), share(s.minus, s.range)};
  }
  void fields(auto& s, auto*, auto& v) const {
    for (auto* x : {&s.high, &s.low, &s.close, &s.plus, &s.minus, &s.range, &s.strength})
      v.number(*x);
    v.count(s.seen, 2 * period);
  }

 private:
  static double share(double part, double whole) { return whole != 0 ? 100.0 * part / whole : 0; }

  std::array<double, 3> warm_up(state& s, double plus, double minus, double range) const {
    if (s.seen++ > 0) {
      s.plus += plus;
      s.minus += minus;
      s.range += range;
    }
    return {none, none, none};
  }
  /// While nothing has a direction the index stays where it was.
  double strength(state& s) const {
    const double both = s.plus + s.minus;
    const bool seeded = s.seen == 2 * period;
    if (both > 0 && s.range != 0)
      s.strength = s.strength * (seeded ? keep : 1.0) + 100.0 * std::abs(s.plus - s.minus) / both;
    if (!seeded && ++s.seen < 2 * period) return none;
    return s.strength * inverse;
  }
};

/// Parabolic stop and reverse; the first direction is that of the first two bars' movement.
struct sar {
  static constexpr std::size_t outputs = 1;
  double acceleration;
  double most;

  struct state {
    double stop = 0;
    double extreme = 0;
    double pace = 0;
    double high = 0;
    double low = 0;
    std::uint32_t falling = 0;
    std::uint32_t seen = 0;
  };

  std::size_t cells() const { return 0; }
  std::array<double, 1> update(state& s, double*, const bar_input& bar) const {
    if (s.seen < 2) [[unlikely]] {
      if (s.seen++ == 0) {
        s.high = bar.high;
        s.low = bar.low;
        return {none};
      }
      start(s, bar);
    }
    const double result = s.falling != 0 ? fall(s, bar) : rise(s, bar);
    s.high = bar.high;
    s.low = bar.low;
    return {result};
  }
  void fields(auto& s, auto*, auto& v) const {
    for (auto* x : {&s.stop, &s.extreme, &s.pace, &s.high, &s.low}) v.number(*x);
    v.count(s.falling, 1);
    v.count(s.seen, 2);
  }

 private:
  void start(state& s, const bar_input& bar) const {
    const double up = bar.high - s.high;
    const double down = s.low - bar.low;
    s.falling = down > 0 && down > up ? 1 : 0;
    s.stop = s.falling != 0 ? s.high : s.low;
    s.extreme = s.falling != 0 ? bar.low : bar.high;
    s.pace = acceleration;
    s.high = bar.high;  // The first stop is bounded by this bar alone.
    s.low = bar.low;
  }
  double rise(state& s, const bar_input& bar) const {
    if (bar.low <= s.stop) {
      const double result = larger(larger(s.extreme, s.high), bar.high);
      turn(s, 1, bar.low, result);
      s.stop = larger(larger(s.stop, s.high), bar.high);
      return result;
    }
    const double result = s.stop;
    if (bar.high > s.extreme) go_on(s, bar.high);
    s.stop += s.pace * (s.extreme - s.stop);
    s.stop = smaller(smaller(s.stop, s.low), bar.low);
    return result;
  }
  double fall(state& s, const bar_input& bar) const {
    if (bar.high >= s.stop) {
      const double result = smaller(smaller(s.extreme, s.low), bar.low);
      turn(s, 0, bar.high, result);
      s.stop = smaller(smaller(s.stop, s.low), bar.low);
      return result;
    }
    const double result = s.stop;
    if (bar.low < s.extreme) go_on(s, bar.low);
    s.stop += s.pace * (s.extreme - s.stop);
    s.stop = larger(larger(s.stop, s.high), bar.high);
    return result;
  }
  void turn(state& s, std::uint32_t falling, double extreme, double stop) const {
    s.falling = falling;
    s.pace = acceleration;
    s.extreme = extreme;
    s.stop = stop + acceleration * (extreme - stop);
  }
  void go_on(state& s, double extreme) const {
    s.extreme = extreme;
    s.pace = smaller(s.pace + acceleration, most);
  }
};

/// Aroon up and down: how recent, 100 to 0, the highest high and the lowest low of `period` + 1
/// bars are; of equal ones the newest counts.
struct aroon {
  static constexpr std::size_t outputs = 2;
  std::uint32_t period;

  struct state {
    std::uint32_t at = 0;
    std::uint32_t full = 0;
    std::uint32_t highest = 0;  // Places in the ring.
    std::uint32_t lowest = 0;
  };

  std::size_t cells() const { return std::size_t{2} * (period + 1); }
  std::array<double, 2> update(state& s, double* ring, const bar_input& bar) const {
    const std::uint32_t now = s.at;
    find(ring, s, s.highest, now, bar.high, [](double a, double b) { return a >= b; });
    find(ring + period + 1, s, s.lowest, now, bar.low, [](double a, double b) { return a <= b; });
    if (++s.at > period) {
      s.at = 0;
      s.full = 1;
    }
    if (s.full == 0) return {none, none};
    return {percent(now, s.highest), percent(now, s.lowest)};
  }
  void fields(auto& s, auto* ring, auto& v) const {
    v.count(s.at, period);
    v.count(s.full, 1);
    v.count(s.highest, period);
    v.count(s.lowest, period);
    v.numbers(ring, cells());
  }

 private:
  double percent(std::uint32_t now, std::uint32_t place) const {
    const std::uint32_t age = now >= place ? now - place : now + period + 1 - place;
    return 100.0 * (period - age) / period;
  }
  /// Puts x into the ring and sets `best` to the newest of the best. Only when the best has just
  /// left, or at the very first bar, the whole ring is searched.
  template <class Better>
  void find(double* ring, const state& s, std::uint32_t& best, std::uint32_t now, double x,
            Better better) const {
    const bool lost = best == now;
    ring[now] = x;
    if (lost) search(ring, s, best, now, better);
    if (better(x, ring[best])) best = now;
  }
  template <class Better>
  void search(const double* ring, const state& s, std::uint32_t& best, std::uint32_t now,
              Better better) const {
    const std::uint32_t oldest = s.full != 0 && now < period ? now + 1 : 0;
    const std::uint32_t end = s.full != 0 ? period + 1 : now + 1;
    best = oldest;
    for (std::uint32_t i = oldest; i < end; ++i)
      if (better(ring[i], ring[best])) best = i;
    for (std::uint32_t i = 0; i < oldest; ++i)
      if (better(ring[i], ring[best])) best = i;
  }
};

}  // namespace troupe::market::indicators
