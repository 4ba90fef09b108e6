#include <doctest/doctest.h>

#include <random>

#include "golden.hpp"
#include "rig.hpp"

namespace troupe::trading::test {

namespace {

using market::indicators::golden;

std::vector<double> walk(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_int_distribution<int> step(-100, 100);
  std::vector<double> prices{100};
  while (prices.size() < count)
    prices.push_back(std::max(1.0, prices.back() + step(random) / 100.0));
  return prices;
}

std::vector<decided> run(const std::string& name, given_parameters parameters,
                         const std::vector<double>& closes) {
  rig r(settings_for(name, std::move(parameters)));
  for (const double close : closes) r.bar(close);
  return r.decisions;
}

/// What a rule that says "in", "out" or "as it is" (1, -1, 0) leads to.
template <class Rule>
std::vector<decided> decisions_of(std::size_t count, Rule rule) {
  std::vector<decided> all;
  bool in = false;
  for (std::size_t i = 0; i < count; ++i) {
    const int says = rule(i);
    if (says == 0 || (says > 0) == in) continue;
    in = says > 0;
    all.push_back({static_cast<std::int64_t>(i), in ? side::buy : side::sell});
  }
  return all;
}

int sign(double x) {
  return x > 0 ? 1 : x < 0 ? -1 : 0;  // NaN: 0.
}

std::vector<double> golden_closes() {
  std::vector<double> closes;
  for (const auto& bar : golden().bars) closes.push_back(bar.close);
  return closes;
}

/// The golden closes have three decimals; prices here are exact.
std::vector<decided> run_golden(const std::string& name, given_parameters parameters) {
  rig r(settings_for(name, std::move(parameters)));
  for (const double close : golden_closes()) {
    market::ohlcv x;
    x.open = x.high = x.low = x.close = fixed::from_raw(std::llround(close * 1e8));
    market::market_event e;
    e.kind = market::event_kind::bar;
    e.length = market::period::d1;
    e.time = r.at * market::day_micros;
    r.give(e, x);
  }
  return r.decisions;
}

}  // namespace

TEST_CASE("sma_cross is long while the fast average is above the slow one, on any walk") {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    const auto closes = walk(500, seed);
    const auto sum_of_last = [&](std::size_t i, std::size_t n) {
      std::int64_t sum = 0;  // Cents, and so exact.
      for (std::size_t k = i + 1 - n; k <= i; ++k) sum += std::llround(closes[k] * 100);
      return sum;
    };
    const auto expected = decisions_of(closes.size(), [&](std::size_t i) {
      if (i + 1 < 12) return 0;
      return sign(static_cast<double>(sum_of_last(i, 5) * 12 - sum_of_last(i, 12) * 5));
    });
    CHECK(expected.size() > 10);
    CHECK(run("sma_cross", {{"fast", 5}, {"slow", 12}}, closes) == expected);
  }
}

TEST_CASE("averages that are equal decide nothing, however their sums were added") {
  std::vector<double> closes(50, 100.1);
  closes.insert(closes.end(), {100.3, 99.9, 100.1});
  closes.insert(closes.end(), 50, 100.1);
  const auto decisions = run("sma_cross", {{"fast", 2}, {"slow", 4}}, closes);
  CHECK(decisions == std::vector<decided>{{50, side::buy}, {52, side::sell}, {54, side::buy}});
}

TEST_CASE("strategies on indicators decide by TA-Lib's values") {
  const auto closes = golden_closes();
  const auto& columns = golden().columns;
  const auto count = closes.size();
  const auto column = [&](const char* name) -> const std::vector<double>& {
    return columns.at(name);
  };
  SUBCASE("ema_cross: an average of one bar is the close") {
    const auto& slow = column("EMA14");
    const auto expected = decisions_of(count, [&](auto i) { return sign(closes[i] - slow[i]); });
    CHECK(expected.size() > 10);
    CHECK(run_golden("ema_cross", {{"fast", 1}, {"slow", 14}}) == expected);
  }
  SUBCASE("rsi_reversion") {
    const auto& rsi = column("RSI14");
    const auto expected = decisions_of(count, [&](auto i) {
      return rsi[i] < 40 ? 1 : rsi[i] > 60 ? -1 : 0;
    });
    CHECK(expected.size() > 4);
    CHECK(run_golden("rsi_reversion", {{"low", 40}, {"high", 60}}) == expected);
  }
  SUBCASE("macd") {
    const auto& histogram = column("MACDhist");
    const auto expected = decisions_of(count, [&](auto i) { return sign(histogram[i]); });
    CHECK(expected.size() > 10);
    CHECK(run_golden("macd", {}) == expected);
  }
  SUBCASE("bollinger_breakout") {
    const auto &upper = column("BBu20"), &middle = column("BBm20");
    const auto expected = decisions_of(count, [&](auto i) {
      return closes[i] > upper[i] ? 1 : closes[i] < middle[i] ? -1 : 0;
    });
    CHECK(expected.size() > 4);
    CHECK(run_golden("bollinger_breakout", {}) == expected);
  }
}

TEST_CASE("buy_and_hold buys on the first thing that it sees, once") {
  rig r(settings_for("buy_and_hold", {}));
  r.quote(1, 10, 11);
  r.trade(2, 10);
  r.bar(10);
  CHECK(r.decisions == std::vector<decided>{{0, side::buy}});
}

TEST_CASE("grid_maker lays its orders about the price, and anew when that has moved a level") {
  auto settings = settings_for("grid_maker", {{"levels", 2}, {"spacing_bps", 100}});
  settings.instruments[0].price_step = units(0.01);
  rig r(settings);
  r.quote(1, 99.99, 100.01);
  REQUIRE(r.requests.size() == 4);
  CHECK(r.requests[0].limit == units(99));
  CHECK(r.requests[1].limit == units(101));
  CHECK(r.requests[2].limit == units(98));
  CHECK(r.requests[3].limit == units(102));
  CHECK(r.requests[3].side == side::sell);
  CHECK(r.requests[3].post_only);
  r.quote(2, 100.48, 100.5);
  r.trade(3, 150);  // Trades do not count where there are quotes.
  CHECK(r.requests.size() == 4);
  r.quote(4, 101.1, 101.12);
  CHECK(r.out.cancels.size() == 4);
  REQUIRE(r.requests.size() == 8);
  CHECK(r.requests[4].limit == units(100.09));  // 101.11 less one percent, down to the cent.
  CHECK(r.requests[5].limit == units(102.13));  // And up.
  fill f;
  f.order = r.s.open_orders(0)[0].id;
  f.symbol = "SPY";
  f.quantity = units(1000);
  r.s.filled(f);
  r.quote(5, 101.1, 101.12);
  CHECK(r.requests.size() == 10);  // With its inventory full it only sells.
  CHECK(r.requests[8].side == side::sell);
  CHECK(r.requests[9].side == side::sell);
}

TEST_CASE("prices go to the price step that does not cross") {
  auto rules = instrument_of("X");
  rules.price_step = units(0.05);
  CHECK(orders::price_near(rules, 10.07, false) == units(10.05));
  CHECK(orders::price_near(rules, 10.07, true) == units(10.1));
  CHECK(orders::price_near(rules, 10.25, true) == units(10.25));
}

TEST_CASE("parameters are refused by name, all at once, with what is allowed") {
  const auto& sma = *find_strategy("sma_cross");
  CHECK(parameter_violations(sma, {}).empty());
  CHECK(parameter_violations(sma, {{"fats", 5}}) ==
        std::vector<std::string>{"no parameter is called fats; there are fast, slow"});
  CHECK(parameter_violations(sma, {{"fast", 2.5}, {"slow", 2000}}) ==
        std::vector<std::string>{"parameter fast is 2.5, and must be a whole number from 1 to 1000 "
                                 "(bars of the fast average)",
                                 "parameter slow is 2000, and must be a whole number from 2 to "
                                 "1000 (bars of the slow average)"});
  CHECK(parameter_violations(sma, {{"fast", 30}}) ==
        std::vector<std::string>{"parameter fast is 30, and must be less than slow (20)"});
  CHECK(parameter_violations(sma, {{"fast", NAN}}).size() == 1);
  CHECK(parameter_violations(*find_strategy("rsi_reversion"), {{"low", 70}}) ==
        std::vector<std::string>{"parameter low is 70, and must be less than high (70)"});
  CHECK(parameter_violations(*find_strategy("buy_and_hold"), {{"x", 1}}) ==
        std::vector<std::string>{"no parameter is called x; it has none"});
  CHECK(find_strategy("sma") == nullptr);
}

}  // namespace troupe::trading::test
