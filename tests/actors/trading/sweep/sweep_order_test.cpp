#include "actors/trading/sweep_order.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "actors/trading/messages.hpp"
#include "actors/trading/run_figures.hpp"
#include "tests/actors/trading/sweep/sweep_support.hpp"

using namespace troupe;
using namespace troupe::trading;
using namespace troupe::trading::test;
using nlohmann::json;

namespace {

run_metrics metrics_of(const backtest_settings& s, const symbol_data& data) {
  return run_backtest(s, {&data, 1}).metrics;
}

}  // namespace

TEST_CASE("a sweep's order means the same behind its JSON: the same run, to the last digit") {
  const auto data = bars_of("X", 5, 400);
  auto order = crosses("d");
  order.settings.limits.gross_exposure_max = fixed::from_raw(5'000 * fixed::scale);
  order.settings.venue.slippage_bps = fixed::from_raw(3 * fixed::scale);
  order.settings.session.parameters = {{"fast", 3}, {"slow", 11}};
  faults wrong;
  const auto back = parse<sweep_order>(json::parse(json_of(order).dump()), wrong);
  REQUIRE_MESSAGE(back, to_string(wrong));
  CHECK(json_of(*back) == json_of(order));
  const auto here = metrics_of(order.settings, data), there = metrics_of(back->settings, data);
  CHECK(here.fills > 10);
  CHECK(json_of(here).dump() == json_of(there).dump());
}

TEST_CASE("metrics come back from JSON to the last digit, what is not defined stays that") {
  auto m = metrics_of(crosses_of("X"), bars_of("X", 6, 300));
  m.sortino = run_metrics::none;
  m.calmar = 0.1 + 0.2;
  faults wrong;
  const auto back = parse<run_metrics>(json::parse(json_of(m).dump()), wrong);
  REQUIRE_MESSAGE(back, to_string(wrong));
  CHECK(json_of(*back) == json_of(m));
  CHECK(back->sharpe == m.sharpe);
  CHECK(back->calmar == m.calmar);
  CHECK(std::isnan(back->sortino));
  CHECK(back->final_equity == m.final_equity);
}

TEST_CASE("combinations are numbered, the last axis fastest, and laid over what is given") {
  const std::vector<sweep_axis> axes{{"a", {1, 2}}, {"b", {5, 6, 7}}};
  CHECK(count_combinations(axes) == 6);
  CHECK(combination({{"c", 9}}, axes, 0) == given_parameters{{"a", 1}, {"b", 5}, {"c", 9}});
  CHECK(combination({{"a", 9}}, axes, 4) == given_parameters{{"a", 2}, {"b", 6}});
  const sweep_axis wide_axis{"w", std::vector<double>(10'001)};
  CHECK(count_combinations({wide_axis, wide_axis, wide_axis, wide_axis, wide_axis, wide_axis}) >
        combinations_max);
}

TEST_CASE("everything that is wrong with an order is told by its field") {
  auto order = json_of(crosses("d"));
  order["settings"]["cash"] = "much";
  order["settings"]["days_per_year"] = 400;
  order["settings"]["session"]["bars"] = "2d";
  order["axes"][1]["values"] = json::array();
  order["more"] = 1;
  faults wrong;
  CHECK_FALSE(parse<sweep_order>(order, wrong));
  const auto text = to_string(wrong);
  for (const auto* field : {"settings.cash", "settings.days_per_year", "settings.session.bars",
                            "axes[1].values", "more"})
    CHECK_MESSAGE(text.find(field) != std::string::npos, field, " in ", text);
}

TEST_CASE("a run is objected to when its parameters or its data do not fit") {
  const auto data = bars_of("X", 7, 10), other = bars_of("Y", 7, 10);
  auto settings = crosses_of("X");
  CHECK(objection(settings, {&data, 1}).empty());
  CHECK(objection(settings, {&other, 1}) ==
        "wrong_data: where the run wants X the recording has Y");
  CHECK(objection(settings, {}) == "wrong_data: where the run wants X the recording has nothing");
  settings.session.parameters = {{"fast", 30}, {"slow", 3}};
  CHECK(objection(settings, {&data, 1})
            .starts_with("bad_parameter: sma_cross: parameter fast is 30"));
}
