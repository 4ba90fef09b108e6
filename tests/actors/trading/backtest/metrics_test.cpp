#include "actors/trading/metrics.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "actors/model/period.hpp"
#include "rig.hpp"

namespace troupe::trading::test {

namespace {

constexpr std::int64_t hour = 3600 * market::second_micros;

struct marked {
  std::int64_t day, at;  // Hours.
  double equity;
  bool exposed;
};
// Days 3 and 4 have no events.
constexpr marked marks[] = {{0, 10, 1010, true},  {0, 20, 1005, true},  {1, 10, 1030, true},
                            {1, 20, 1020, false}, {2, 10, 1020, false}, {2, 20, 1020, true},
                            {5, 10, 990, true},   {5, 20, 961, true},   {6, 10, 1001, true},
                            {6, 20, 1040, false}, {7, 10, 1050, false}, {7, 20, 1047, false}};

performance measured(int days_per_year) {
  performance p(units(1000), 1, days_per_year);
  for (const auto& m : marks)
    p.mark((m.day * 24 + m.at) * hour, notional_of(units(m.equity)), m.exposed);
  return p;
}

fill traded(side s, double quantity, double price, double fee, std::int64_t hours) {
  fill f;
  f.side = s;
  f.quantity = units(quantity);
  f.price = units(price);
  f.fee = units(fee);
  f.time = from_micros(hours * hour);
  return f;
}

doctest::Approx about(double x) {
  return doctest::Approx(x).epsilon(1e-12);
}

}  // namespace

// The figures come from Python's statistics module, over the daily returns of the same marks.
TEST_CASE("returns, deviation and ratios by their conventions") {
  const auto m = measured(252).finish();
  CHECK(m.days == 6);
  CHECK(m.initial_equity == units(1000));
  CHECK(m.final_equity == units(1047));
  CHECK(m.total_return == about(0.047));
  CHECK(m.annual_return == about(5.88272837393581));
  CHECK(m.volatility == about(0.708611681587089));
  CHECK(m.sharpe == about(3.0239406945438443));
  CHECK(m.sortino == about(5.716169415919671));
  CHECK(m.calmar == about(87.81464094425914));
  CHECK(m.exposure == about(0.7303370786516854));
}

TEST_CASE("a year of 365 days") {
  const auto m = measured(365).finish();
  CHECK(m.annual_return == about(15.346438145969266));
  CHECK(m.volatility == about(0.852814290801051));
  CHECK(m.sharpe == about(3.6393131892293));
  CHECK(m.sortino == about(6.879410956954526));
}

TEST_CASE("the deepest fall from a peak, and how long until that was reached again") {
  const auto m = measured(252).finish();
  CHECK(m.max_drawdown == about(1 - 961.0 / 1030));
  CHECK(m.max_drawdown_days == about(130.0 / 24));  // From day 1, 10 h to day 6, 20 h.
  performance under_water(units(100), 1, 252);
  under_water.mark(0, notional_of(units(90)), false);
  under_water.mark(48 * hour, notional_of(units(95)), false);
  const auto never = under_water.finish();
  CHECK(never.max_drawdown == about(0.1));
  CHECK(never.max_drawdown_days == about(2));
}

TEST_CASE("time at the peak is no drawdown, and one ends when the peak is reached exactly") {
  performance p(units(100), 1, 252);
  const auto mark = [&p](std::int64_t hours, double equity) {
    p.mark(hours * hour, notional_of(units(equity)), false);
  };
  for (std::int64_t day = 0; day <= 100; ++day) mark(day * 24, 100);
  mark(102 * 24, 90);
  mark(103 * 24, 100);
  mark(150 * 24, 100);
  const auto m = p.finish();
  CHECK(m.max_drawdown == about(0.1));
  CHECK(m.max_drawdown_days == about(3));  // From day 100 to day 103.
}

TEST_CASE("the curve has a point a mark; many marks are thinned evenly, the last one stays") {
  auto p = measured(252);
  p.finish();
  REQUIRE(p.curve().size() == std::size(marks));
  CHECK(p.curve()[7].equity == units(961));
  CHECK(p.curve()[7].drawdown == about(1 - 961.0 / 1030));
  performance many(units(0.01), 1, 252);
  for (std::int64_t i = 0; i < 100'001; ++i)
    many.mark(i, notional_of(units(0.01)) + i * 1'000'000'000, false);
  many.finish();
  CHECK(many.curve().size() < 2 * performance::points_max);
  CHECK(many.curve().size() > performance::points_max / 2);
  CHECK(many.curve().back().time == 100'000);
  const auto gap = many.curve()[1].time - many.curve()[0].time;
  for (std::size_t i = 1; i + 1 < many.curve().size(); ++i)
    REQUIRE(many.curve()[i].time - many.curve()[i - 1].time == gap);
}

TEST_CASE("a day ends with what is known at its midnight; days before 1970 are days") {
  for (const std::int64_t first : {0, -2}) {
    performance p(units(1000), 1, 365);
    for (std::int64_t h = 1; h <= 48; ++h)
      p.mark((first * 24 + h) * hour, notional_of(units(1000 + static_cast<double>(h))), true);
    const auto m = p.finish();
    CHECK(m.days == 2);
    CHECK(m.annual_return == about(std::pow(1.048, 182.5) - 1));
    CHECK(p.curve().front().time == (first * 24 + 1) * hour);
  }
}

TEST_CASE("what has no equity left has no returns") {
  performance p(units(100), 1, 252);
  for (const auto& [day, equity] : {std::pair{0, 50.0}, {1, -20.0}, {2, -60.0}, {3, -30.0}})
    p.mark((day * 24 + 10) * hour, notional_of(units(equity)), true);
  p.filled(0, traded(side::buy, 1, 10, 0, 1));
  const auto m = p.finish();
  CHECK(m.total_return == about(-1.3));
  CHECK(m.max_drawdown == about(1.6));
  for (const double undefined :
       {m.annual_return, m.volatility, m.sharpe, m.sortino, m.calmar, m.turnover})
    CHECK(std::isnan(undefined));
}

TEST_CASE("a curve that is thinned keeps the deepest point of the deepest fall") {
  constexpr auto marks_in_all = static_cast<std::int64_t>(9 * performance::points_max);
  for (const std::int64_t deepest : {2'001, 70'000, 131'077, 147'000}) {
    performance p(units(1000), 1, 252);
    for (std::int64_t i = 0; i < marks_in_all; ++i)
      p.mark(i, notional_of(units(i == deepest ? 900 : i % 2 == 0 ? 1000 : 999)), true);
    const auto m = p.finish();
    CHECK(m.max_drawdown == about(0.1));
    const auto least = *std::ranges::min_element(p.curve(), {}, &equity_point::equity);
    CHECK(least.time == deepest);
    CHECK(least.drawdown == about(0.1));
    CHECK(p.curve().back().time == marks_in_all - 1);
    CHECK(std::ranges::is_sorted(p.curve(), {}, &equity_point::time));
  }
}

TEST_CASE("trades go from flat to flat; a fill that turns the position ends one and begins one") {
  performance p(units(1000), 1, 252);
  p.mark(0, notional_of(units(1000)), false);
  p.filled(0, traded(side::buy, 10, 5, 1, 0));
  p.filled(0, traded(side::buy, 10, 6, 1, 24));
  p.filled(0, traded(side::sell, 5, 7, 0.5, 36));
  p.filled(0, traded(side::sell, 25, 8, 2.5, 48));  // 15 close it, 10 go short.
  p.filled(0, traded(side::buy, 10, 9, 1, 60));
  p.mark(60 * hour, notional_of(units(1034)), false);
  const auto m = p.finish();
  REQUIRE(p.trips().size() == 2);
  const auto &lng = p.trips()[0], &shrt = p.trips()[1];
  CHECK(lng.quantity == units(20));
  CHECK(lng.fees == units(4));
  CHECK(lng.profit == units(5 * 7 + 15 * 8 - 110 - 4));
  CHECK(lng.closed == 48 * hour);
  CHECK(shrt.opened_by == side::sell);
  CHECK(shrt.fees == units(2));
  CHECK(shrt.profit == units(80 - 90 - 2));
  CHECK(m.fees == units(6));
  CHECK(m.fills == 5);
  CHECK(m.trades == 2);
  CHECK(m.win_rate == about(0.5));
  CHECK(m.profit_factor == about(41.0 / 12));
  CHECK(m.mean_trade == about(14.5));
  CHECK(m.mean_win == about(41));
  CHECK(m.mean_loss == about(-12));
  CHECK(m.best_trade == units(41));
  CHECK(m.worst_trade == units(-12));
  CHECK(m.mean_trade_days == about(1.25));
  CHECK(m.turnover == about((50 + 60 + 35 + 200 + 90) / ((1000 + 1034) / 2.0)));  // Of two days.
}

TEST_CASE("what is not defined is not a number, and nothing at all measures nothing") {
  performance p(units(1000), 1, 252);
  p.mark(0, notional_of(units(1000)), false);
  const auto m = p.finish();
  CHECK(m.days == 1);
  CHECK(m.total_return == 0);
  CHECK(std::isnan(m.annual_return));
  CHECK(std::isnan(m.volatility));
  CHECK(std::isnan(m.sharpe));
  CHECK(std::isnan(m.sortino));
  CHECK(std::isnan(m.calmar));
  CHECK(std::isnan(m.win_rate));
  CHECK(std::isnan(m.profit_factor));
  performance empty(units(1000), 1, 252);
  CHECK(empty.finish().days == 0);
  CHECK(std::isnan(empty.finish().total_return));
}

}  // namespace troupe::trading::test
