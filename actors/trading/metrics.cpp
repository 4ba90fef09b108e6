#include "actors/trading/metrics.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "actors/model/period.hpp"

namespace troupe::trading {

namespace {

constexpr double units = 1e16;
constexpr double micros_a_day = static_cast<double>(market::day_micros);

double amount(wide notional) {
  return static_cast<double>(notional) / units;
}

double sum_of(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

double ratio(double a, double b) {
  return b != 0 ? a / b : run_metrics::none;
}

/// Of a sample: divided by one less than there are.
double deviation(const std::vector<double>& values, double mean) {
  if (values.size() < 2) return run_metrics::none;
  double squares = 0;
  for (const double v : values) squares += (v - mean) * (v - mean);
  return std::sqrt(squares / static_cast<double>(values.size() - 1));
}

/// Of what is left of something; nothing can come of nothing.
double change(double after, double before) {
  return before > 0 ? after / before - 1 : run_metrics::none;
}

/// Root of the mean square of what is below 0, over all values.
double downside(const std::vector<double>& values) {
  double squares = 0;
  for (const double v : values) squares += v < 0 ? v * v : 0;
  return std::sqrt(squares / static_cast<double>(values.size()));
}

std::int64_t share(std::int64_t of, std::int64_t part, std::int64_t whole) {
  return static_cast<std::int64_t>(wide{of} * part / whole);
}

}  // namespace

performance::performance(fixed initial_equity, std::size_t symbols, int days_per_year)
    : days_per_year_(days_per_year),
      initial_(notional_of(initial_equity)),
      equity_(initial_),
      peak_(initial_),
      trough_(initial_),
      holdings_(symbols) {}

void performance::begin_day(std::int64_t time) {
  if (day_end_ == no_day)
    begin_ = time_ = peak_time_ = time;
  else
    day_equity_.push_back(amount(equity_));
  day_end_ = market::floor_to(time - 1, market::day_micros) + market::day_micros;
}

void performance::rise(wide equity) {
  if (trough_ < peak_) settle_drawdown(time_);
  peak_ = trough_ = equity;
}

void performance::settle_drawdown(std::int64_t until) {
  const double depth = 1 - static_cast<double>(trough_) / static_cast<double>(peak_);
  if (depth > deepest_.depth)
    deepest_ = {depth, peak_time_, until, point_at(trough_time_, trough_, peak_)};
}

equity_point performance::point_at(std::int64_t time, wide equity, wide peak) {
  const double of = static_cast<double>(peak);
  return {time, rounded(equity), of > 0 ? 1 - static_cast<double>(equity) / of : 0};
}

void performance::add_point() {
  since_point_ = 0;
  points_.push_back(point_at(time_, equity_, peak_));
  if (points_.size() < 2 * points_max) return;
  for (std::size_t i = 0; 2 * i < points_.size(); ++i) points_[i] = points_[2 * i + 1];
  points_.resize(points_.size() / 2);
  stride_ *= 2;
}

/// Thinning may have left it out.
void performance::add_deepest_point() {
  const auto& lowest = deepest_.lowest;
  const auto place = std::ranges::lower_bound(points_, lowest.time, {}, &equity_point::time);
  if (place == points_.end() || place->time != lowest.time) points_.insert(place, lowest);
}

void performance::filled(std::size_t symbol, const fill& f) {
  ++fills_;
  fees_ += f.fee.raw();
  traded_ += notional_of(f.price, f.quantity);
  auto& h = holdings_[symbol];
  const bool against = h.position != fixed() && (h.position > fixed()) == (f.side == side::sell);
  const auto held = std::abs(h.position.raw());
  const auto closing = against ? std::min(held, f.quantity.raw()) : 0;
  const auto closing_fee = share(f.fee.raw(), closing, f.quantity.raw());
  if (closing > 0) take_from(h, f, closing, closing_fee);
  if (closing < f.quantity.raw())
    add_to(h, symbol, f, f.quantity.raw() - closing, f.fee.raw() - closing_fee);
}

void performance::add_to(holding& h, std::size_t symbol, const fill& f, std::int64_t quantity,
                         std::int64_t fee) {
  auto& trip = h.open;
  if (h.position == fixed()) {
    trip = {};
    trip.symbol = symbol;
    trip.opened_by = f.side;
    trip.opened = to_micros(f.time);
  }
  trip.quantity = fixed::from_raw(trip.quantity.raw() + quantity);
  trip.entered += notional_of(f.price, fixed::from_raw(quantity));
  trip.fees = fixed::from_raw(trip.fees.raw() + fee);
  const auto signed_quantity = f.side == side::buy ? quantity : -quantity;
  h.position = fixed::from_raw(h.position.raw() + signed_quantity);
}

void performance::take_from(holding& h, const fill& f, std::int64_t quantity, std::int64_t fee) {
  auto& trip = h.open;
  trip.left += notional_of(f.price, fixed::from_raw(quantity));
  trip.fees = fixed::from_raw(trip.fees.raw() + fee);
  const auto signed_quantity = f.side == side::buy ? quantity : -quantity;
  h.position = fixed::from_raw(h.position.raw() + signed_quantity);
  if (h.position != fixed()) return;
  trip.closed = to_micros(f.time);
  const auto gain =
      trip.opened_by == side::buy ? trip.left - trip.entered : trip.entered - trip.left;
  trip.profit = rounded(gain - notional_of(trip.fees));
  trips_.push_back(trip);
}

run_metrics performance::finish() {
  run_metrics m;
  m.initial_equity = rounded(initial_);
  m.final_equity = rounded(equity_);
  m.fees = fixed::from_raw(fees_);
  m.fills = fills_;
  if (day_end_ == no_day) return m;
  if (since_point_ > 0) add_point();
  day_equity_.push_back(amount(equity_));
  if (trough_ < peak_) settle_drawdown(time_);
  m.days = static_cast<std::int64_t>(day_equity_.size());
  if (deepest_.depth > 0) add_deepest_point();
  m.max_drawdown = deepest_.depth;
  m.max_drawdown_days = static_cast<double>(deepest_.to - deepest_.from) / micros_a_day;
  m.exposure = ratio(static_cast<double>(exposed_time_), static_cast<double>(time_ - begin_));
  const double mean_equity = sum_of(day_equity_) / static_cast<double>(m.days);
  if (mean_equity > 0) m.turnover = amount(traded_) / mean_equity;
  measure_returns(m);
  measure_trades(m);
  return m;
}

void performance::measure_returns(run_metrics& m) const {
  std::vector<double> returns;
  double before = amount(initial_);
  for (const double equity : day_equity_) {
    returns.push_back(change(equity, before));
    before = equity;
  }
  const auto days = static_cast<double>(returns.size());
  const double year = days_per_year_, mean = sum_of(returns) / days,
               spread = deviation(returns, mean);
  m.total_return = change(amount(equity_), amount(initial_));
  if (returns.size() < 2) return;  // One day tells nothing of a year.
  if (m.total_return >= -1) m.annual_return = std::pow(1 + m.total_return, year / days) - 1;
  m.volatility = spread * std::sqrt(year);
  m.sharpe = ratio(mean, spread) * std::sqrt(year);
  m.sortino = ratio(mean, downside(returns)) * std::sqrt(year);
  m.calmar = ratio(m.annual_return, m.max_drawdown);
}

void performance::measure_trades(run_metrics& m) const {
  double won = 0, lost = 0, length = 0;
  for (const auto& trip : trips_) {
    const double profit = trip.profit.to_double();
    profit > 0 ? won += profit : lost -= profit;
    m.wins += profit > 0 ? 1 : 0;
    m.losses += profit < 0 ? 1 : 0;
    length += static_cast<double>(trip.closed - trip.opened) / micros_a_day;
    m.best_trade = std::max(m.best_trade.value_or(trip.profit), trip.profit);
    m.worst_trade = std::min(m.worst_trade.value_or(trip.profit), trip.profit);
  }
  m.trades = static_cast<std::int64_t>(trips_.size());
  const auto count = static_cast<double>(m.trades);
  m.win_rate = ratio(static_cast<double>(m.wins), count);
  m.profit_factor = ratio(won, lost);
  m.mean_trade = ratio(won - lost, count);
  m.mean_win = ratio(won, static_cast<double>(m.wins));
  m.mean_loss = ratio(-lost, static_cast<double>(m.losses));
  m.mean_trade_days = ratio(length, count);
}

}  // namespace troupe::trading
