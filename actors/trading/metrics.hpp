#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "actors/trading/money.hpp"
#include "actors/trading/order.hpp"

namespace troupe::trading {

/// Units of 1e-16: a price times a quantity, exactly.
constexpr wide notional_of(fixed price, fixed quantity) {
  return wide{price.raw()} * quantity.raw();
}
constexpr wide notional_of(fixed amount) {
  return wide{amount.raw()} * fixed::scale;
}
/// Down to a unit of 1e-8, as portfolios value themselves.
constexpr fixed rounded(wide notional) {
  return clamp_fixed(divide(notional, fixed::scale, rounding::down));
}

/// From flat to flat in one symbol; a fill that turns the position ends one and begins the next,
/// its fee shared by quantity.
struct round_trip {
  std::size_t symbol = 0;
  side opened_by = side::buy;
  std::int64_t opened = 0, closed = 0;  // Microseconds since 1970.
  fixed quantity;                       // Bought or sold to open it, all in all.
  wide entered = 0, left = 0;           // Notional in and out.
  fixed fees;
  fixed profit;  // After fees.
};

/// A point of the equity curve.
struct equity_point {
  std::int64_t time = 0;  // Microseconds since 1970.
  fixed equity;
  double drawdown = 0;  // Share of the highest equity until then.
};

/// What a run came to. Conventions: docs/backtest.md. NaN: not defined, such as a deviation of
/// fewer than two days.
struct run_metrics {
  static constexpr double none = std::numeric_limits<double>::quiet_NaN();

  fixed initial_equity, final_equity;
  std::int64_t days = 0;  // With an event.
  double total_return = none, annual_return = none, volatility = none;
  double sharpe = none, sortino = none, calmar = none;
  double max_drawdown = 0;       // Share of the peak.
  double max_drawdown_days = 0;  // From its peak until that was reached again, or to the end.
  double exposure = none;        // Share of the time with a position.
  double turnover = none;        // Everything bought and sold, over the mean of the days' equity.
  fixed fees;
  std::int64_t fills = 0;
  std::int64_t trades = 0, wins = 0, losses = 0;  // Closed round trips.
  double win_rate = none, profit_factor = none, mean_trade = none, mean_win = none,
         mean_loss = none, mean_trade_days = none;
  std::optional<fixed> best_trade, worst_trade;  // Nothing: no trade was closed.
};

/// Follows a run and measures it.
class performance {
 public:
  /// The curve has a point a mark, and fewer, evenly, when there would be more than twice this; the
  /// lowest point of the deepest drawdown stays.
  static constexpr std::size_t points_max = 16'384;

  performance(fixed initial_equity, std::size_t symbols, int days_per_year);

  /// Equity, units of 1e-16, after an event. Requires: times that do not go back. What is known at
  /// midnight belongs to the day that ends then, as the last bar of a day does.
  void mark(std::int64_t time, wide equity, bool exposed) {
    if (time > day_end_) [[unlikely]]
      begin_day(time);
    if (exposed_) exposed_time_ += time - time_;
    time_ = time;
    exposed_ = exposed;
    equity_ = equity;
    if (equity >= peak_) {
      if (equity > peak_ || trough_ < peak_) rise(equity);
      peak_time_ = time;
    } else if (equity < trough_) {
      trough_ = equity;
      trough_time_ = time;
    }
    if (++since_point_ >= stride_) add_point();
  }
  void filled(std::size_t symbol, const fill& f);

  /// Requires: called once, at the end.
  run_metrics finish();
  const std::vector<equity_point>& curve() const { return points_; }
  const std::vector<round_trip>& trips() const { return trips_; }

 private:
  static constexpr std::int64_t no_day = std::numeric_limits<std::int64_t>::min();

  struct drawdown {
    double depth = 0;
    std::int64_t from = 0, to = 0;
    equity_point lowest;
  };
  struct holding {
    fixed position;
    round_trip open;
  };

  void begin_day(std::int64_t time);
  void rise(wide equity);
  void settle_drawdown(std::int64_t until);
  void add_point();
  void add_deepest_point();
  static equity_point point_at(std::int64_t time, wide equity, wide peak);
  void add_to(holding& h, std::size_t symbol, const fill& f, std::int64_t quantity,
              std::int64_t fee);
  void take_from(holding& h, const fill& f, std::int64_t quantity, std::int64_t fee);
  void measure_returns(run_metrics& m) const;
  void measure_trades(run_metrics& m) const;

  int days_per_year_;
  wide initial_, equity_, peak_, trough_;
  std::int64_t begin_ = 0, time_ = 0, peak_time_ = 0, exposed_time_ = 0;
  std::int64_t trough_time_ = 0;
  std::int64_t day_end_ = no_day;
  bool exposed_ = false;
  drawdown deepest_;
  std::vector<double> day_equity_;  // At the end of each day with an event, today's not yet.
  std::vector<equity_point> points_;
  std::size_t stride_ = 1, since_point_ = 0;
  std::vector<holding> holdings_;
  std::vector<round_trip> trips_;
  wide traded_ = 0;
  std::int64_t fees_ = 0, fills_ = 0;
};

}  // namespace troupe::trading
