#include "app/backtest/sweep.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "tests/actors/trading/sweep/sweep_support.hpp"

using namespace troupe;
using namespace troupe::app;
using namespace troupe::trading;

namespace {

symbol_data walk() {
  return trading::test::bars_of("X", 4, 400);
}

backtest_settings settings() {
  return trading::test::crosses_of("X");
}

}  // namespace

TEST_CASE("axes are counted, so the last value is never lost; what is wrong is said") {
  CHECK(parse_axis("fast=5:20:5").values == std::vector<double>{5, 10, 15, 20});
  CHECK(parse_axis("w=0.1:0.7:0.2").values == std::vector<double>{0.1, 0.3, 0.5, 0.7});
  CHECK(parse_axis("w=1:1:1").values == std::vector<double>{1});
  CHECK(parse_axis("w=1:4:2").values == std::vector<double>{1, 3});
  CHECK_THROWS_WITH(parse_axis("fast=5:50"),
                    "--sweep fast=5:50: write NAME=FROM:TO:STEP, such as fast=5:50:5");
  CHECK_THROWS_WITH(
      parse_axis("fast=5:x:1"),
      "--sweep fast=5:x:1: \"x\" is no number; write NAME=FROM:TO:STEP, such as fast=5:50:5");
  for (const auto* wrong : {"a=5:4:1", "a=1:5:0", "a=0:1:0.00001", "a", "a=", "a=::"})
    CHECK_THROWS(parse_axis(wrong));
}

TEST_CASE("a sweep runs what is allowed, best first, the same on any number of threads") {
  const auto data = walk();
  const auto run = [&](std::size_t threads) {
    std::size_t told = 0;
    auto result =
        run_sweep(settings(), {&data, 1}, {parse_axis("fast=2:10:2"), parse_axis("slow=5:20:5")},
                  "total_return", threads, [&](std::size_t done, std::size_t all) {
                    CHECK(done == ++told);
                    CHECK(all == 16);
                    return true;
                  });
    CHECK(told == 16);
    return result;
  };
  const auto one = run(1), three = run(3);
  CHECK(one.left_out == 4);  // fast = 6, 8, 10 with slow = 5, and 10 with 10.
  REQUIRE(one.runs.size() == 16);
  for (std::size_t i = 0; i < one.runs.size(); ++i) {
    CHECK(one.runs[i].parameters == three.runs[i].parameters);
    CHECK(one.runs[i].metrics.final_equity == three.runs[i].metrics.final_equity);
    if (i > 0) CHECK(one.runs[i - 1].metrics.total_return >= one.runs[i].metrics.total_return);
  }
  auto alone = settings();
  alone.session.parameters = one.runs[0].parameters;
  CHECK(run_backtest(alone, {&data, 1}).metrics.final_equity == one.runs[0].metrics.final_equity);
}

TEST_CASE("no combination allowed, an unknown parameter: refused with the reason") {
  const auto data = walk();
  const auto watch = [](std::size_t, std::size_t) { return true; };
  CHECK_THROWS_WITH(
      run_sweep(settings(), {&data, 1}, {parse_axis("fats=1:5:1")}, "sharpe", 1, watch),
      "--sweep: no combination is allowed: no parameter is called fats; there are fast, slow");
  CHECK_FALSE(is_sweep_metric("luck"));
}

TEST_CASE("less drawdown ranks higher, and what is not defined ranks last") {
  run_metrics m;
  m.max_drawdown = 0.25;
  CHECK(rank_of(m, "max_drawdown") == -0.25);
  CHECK(rank_of(m, "sharpe") == -HUGE_VAL);
}

TEST_CASE(
    "a figure that is not defined because nothing was lost ranks first, without a gain last") {
  run_metrics idle;
  idle.days = 5;
  idle.total_return = idle.annual_return = 0;
  auto winner = idle;
  winner.total_return = winner.annual_return = 0.3;
  winner.trades = winner.wins = 3;
  auto loser = winner;
  loser.profit_factor = loser.sortino = loser.calmar = 0.5;
  for (const auto* by : {"profit_factor", "sortino", "calmar"}) {
    CAPTURE(by);
    sweep_result sweep;
    sweep.by = by;
    sweep.runs = {{{{"x", 0}}, idle}, {{{"x", 1}}, loser}, {{{"x", 2}}, winner}};
    rank(sweep);
    CHECK(sweep.runs[0].parameters.at("x") == 2);
    CHECK(sweep.runs[2].parameters.at("x") == 0);
  }
  auto small = winner;
  small.total_return = 0.1;
  sweep_result sweep;
  sweep.by = "profit_factor";
  sweep.runs = {{{{"x", 0}}, small}, {{{"x", 1}}, winner}, {{{"x", 2}}, winner}};
  rank(sweep);
  CHECK(sweep.runs[0].parameters.at("x") == 1);  // Of equals the higher return, then the first.
  CHECK(sweep.runs[1].parameters.at("x") == 2);
  CHECK(sweep.runs[2].parameters.at("x") == 0);
  run_metrics one_day;
  one_day.total_return = 0.3;
  CHECK(rank_of(one_day, "sortino") == -HUGE_VAL);
  CHECK(rank_of(winner, "sharpe") == -HUGE_VAL);
}
