#pragma once

#include <array>
#include <chrono>

#include "actors/market/indicators/window.hpp"

/// Indicators that weigh prices by what was traded.
namespace troupe::market::indicators {

/// On-balance volume: from the first bar's volume on, plus the volume of rising closes, minus that
/// of falling ones.
struct obv {
  static constexpr std::size_t outputs = 1;

  struct state {
    double last = 0;
    double sum = 0;
    std::uint32_t started = 0;
  };

  std::size_t cells() const { return 0; }
  std::array<double, 1> update(state& s, double*, const bar_input& bar) const {
    const double sign =
        s.started == 0 ? 1.0 : one_if(bar.close > s.last) - one_if(bar.close < s.last);
    s.sum += sign * bar.volume;
    s.last = bar.close;
    s.started = 1;
    return {s.sum};
  }
  void fields(auto& s, auto*, auto& v) const {
    v.number(s.last);
    v.number(s.sum);
    v.count(s.started, 1);
  }
};

/// Money flow index, 0 to 100; 0 when no money flowed.
struct mfi {
  static constexpr std::size_t outputs = 1;
  std::uint32_t period;

  struct state {
    double last = 0;
    double in = 0;
    double out = 0;
    double lap_in = 0;
    double lap_out = 0;
    std::uint32_t at = 0;
    std::uint32_t seen = 0;  // 0 nothing, 1 some, 2 a whole period.
  };

  std::size_t cells() const { return period; }
  std::array<double, 1> update(state& s, double* ring, const bar_input& bar) const {
    const double price = typical_price(bar);
    const double last = s.last;
    s.last = price;
    if (s.seen == 0) {
      s.seen = 1;
      return {none};
    }
    const double money = price * bar.volume;
    // Typical prices that differ by rounding alone are equal, as for newer versions of TA-Lib.
    const double noise = price * 1e-15;
    flow(s, ring, money * (one_if(price > last + noise) - one_if(price < last - noise)));
    if (s.seen < 2) return {none};
    if (std::all_of(ring, ring + period, [](double m) { return m == 0; })) return {0};
    const double in = larger(s.in, 0);  // Rounding may leave less than nothing.
    const double both = in + larger(s.out, 0);
    return {both > 0 ? 100.0 * in / both : 0};
  }
  void fields(auto& s, auto* ring, auto& v) const {
    for (auto* x : {&s.last, &s.in, &s.out, &s.lap_in, &s.lap_out}) v.number(*x);
    v.count(s.at, period - 1);
    v.count(s.seen, 2);
    v.numbers(ring, period);
  }

 private:
  void flow(state& s, double* ring, double money) const {
    const double gone = ring[s.at];
    const double in = larger(money, 0);
    const double out = in - money;
    ring[s.at] = money;
    s.in += in - larger(gone, 0);
    s.out += out - larger(-gone, 0);
    s.lap_in += in;
    s.lap_out += out;
    if (++s.at == period) {
      s.in = s.lap_in;
      s.out = s.lap_out;
      s.lap_in = s.lap_out = 0;
      s.at = 0;
      s.seen = 2;
    }
  }
};

/// Volume-weighted typical price since 00:00 UTC; nothing before the day's first volume.
struct vwap {
  static constexpr std::size_t outputs = 1;

  struct state {
    double day = 0;  // Since 1970-01-01.
    double money = 0;
    double volume = 0;
  };

  std::size_t cells() const { return 0; }
  std::array<double, 1> update(state& s, double*, const bar_input& bar) const {
    const auto days =
        std::chrono::floor<std::chrono::days>(bar.open_time).time_since_epoch().count();
    const double day = static_cast<double>(days);
    if (day != s.day) s = {day, 0, 0};
    s.money += typical_price(bar) * bar.volume;
    s.volume += bar.volume;
    return {s.volume > 0 ? s.money / s.volume : none};
  }
  void fields(auto& s, auto*, auto& v) const {
    for (auto* x : {&s.day, &s.money, &s.volume}) v.number(*x);
  }
};

}  // namespace troupe::market::indicators
