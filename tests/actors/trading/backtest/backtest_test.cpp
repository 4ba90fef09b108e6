#include "actors/trading/backtest.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

#include "rig.hpp"
#include "tests/actors/trading/drawn_strategy.hpp"

namespace troupe::trading::test {

namespace {

using market::event_kind;
using market::market_event;
using market::ohlcv;

constexpr std::int64_t second = 1'000'000;

backtest_settings settings_of(session_settings session, double cash = 1'000'000) {
  backtest_settings s;
  s.session = std::move(session);
  s.cash = units(cash);
  s.limits.symbols["*"].short_max = units(100'000);
  return s;
}

void add_bar(symbol_data& to, double open, double close) {
  ohlcv x;
  x.open = units(open);
  x.close = units(close);
  x.high = std::max(x.open, x.close);
  x.low = std::min(x.open, x.close);
  market_event e;
  e.kind = event_kind::bar;
  e.length = market::period::d1;
  e.offset = static_cast<std::int64_t>(to.events.size());
  e.time = e.offset * market::day_micros;
  e.detail = static_cast<std::uint32_t>(to.details.size());
  to.events.push_back(e);
  to.details.push_back(x);
}

/// Trades and quotes of a seeded walk, half a second apart.
symbol_data ticks(const std::string& symbol, unsigned seed, std::int64_t count) {
  std::mt19937 random(seed);
  std::uniform_int_distribution<int> step(-20, 20), kind(0, 2);
  symbol_data data{instrument_of(symbol), {}, {}};
  double price = 100;
  for (std::int64_t i = 0; i < count; ++i) {
    price = std::max(5.0, price + step(random) / 100.0);
    market_event e;
    e.offset = i;
    e.time = i * second / 2;
    e.price = units(price);
    e.size = e.ask_size = units(10);
    if (kind(random) > 0) {
      e.kind = event_kind::quote;
      e.flags = market_event::has_bid | market_event::has_ask;
      e.price = units(price - 0.01);
      e.ask = units(price + 0.01);
    }
    data.events.push_back(e);
  }
  return data;
}

/// Everything that had happened when the event at this offset was taken.
struct history {
  std::vector<order_request> requests;
  std::vector<fill> fills;
  bool operator==(const history&) const = default;
};

history until(const backtest_result& result, std::int64_t offset, std::int64_t time) {
  history h;
  for (const auto& o : result.orders)
    if (o.request.decided.offset <= offset) h.requests.push_back(o.request);
  for (const auto& f : result.fills)
    if (to_micros(f.time) <= time) h.fills.push_back(f);
  return h;
}

session_settings grid() {
  auto s = settings_for("grid_maker", {{"spacing_bps", 20}, {"levels", 2}}, market::period::s1);
  s.size.amount = units(1);
  return s;
}

}  // namespace

TEST_CASE("decided on a close, filled at the next open, with slippage and fee against the trader") {
  auto settings = settings_of(settings_for("sma_cross", {{"fast", 1}, {"slow", 2}}));
  settings.venue.taker_fee_bps = units(10);
  settings.venue.slippage_bps = units(50);
  symbol_data data{instrument_of("SPY"), {}, {}};
  add_bar(data, 10, 10);
  add_bar(data, 10, 11);  // 11 is above 10.5: buys.
  add_bar(data, 20, 21);
  add_bar(data, 21, 15);  // 15 is below 18: sells.
  add_bar(data, 30, 30);
  const auto r = run_backtest(settings, {&data, 1});
  REQUIRE(r.fills.size() == 2);
  CHECK(r.fills[0].price == units(20.1));
  CHECK(r.fills[0].fee == units(2.01));
  CHECK(to_micros(r.fills[0].time) == 2 * market::day_micros);
  CHECK(r.fills[1].price == units(29.85));
  CHECK(r.cash == units(1'000'000 - 2010 - 2.01 + 2985).raw() - 298'500'000);
  CHECK(r.positions[0] == fixed());
  REQUIRE(r.trips.size() == 1);
  CHECK(r.trips[0].profit.raw() == r.metrics.final_equity.raw() - settings.cash.raw());
  REQUIRE(r.curve.size() == 5);
  CHECK(r.curve[2].equity == units(1'000'000 - 2012.01 + 2100));
  CHECK(r.orders[0].status == order_status::filled);
  CHECK(r.orders[1].value == units(2985).raw());
}

TEST_CASE("what comes later changes nothing that came before") {
  const auto drawn_with = [](std::int64_t seed) {
    return settings_for(drawn(), {{"seed", static_cast<double>(seed)}}, market::period::m1);
  };
  const auto of = [](const stretch& log) {
    return symbol_data{instrument_of("SPY"), log.events, log.details};
  };
  constexpr std::int64_t minute_ms = 60'000;
  const std::vector<std::pair<session_settings, symbol_data>> table{
      {grid(), ticks("SPY", 3, 600)},
      {settings_for("sma_cross", {{"fast", 3}, {"slow", 7}}, market::period::s1),
       ticks("SPY", 3, 600)},
      {drawn_with(1), of(drawn_market(1).ticks(600, minute_ms))},
      {drawn_with(2), of(drawn_market(2).bars(600, market::period::m1))},
      {drawn_with(3), of(drawn_market(3).mixed(600, minute_ms))}};
  for (const auto& [session, data] : table) {
    const auto settings = settings_of(session);
    const auto whole = run_backtest(settings, {&data, 1});
    CHECK(whole.fills.size() > 20);
    for (std::size_t t = 25; t < data.events.size(); t += 25) {
      const auto offset = static_cast<std::int64_t>(t) - 1, time = data.events[t - 1].time;
      auto cut = data, other = data;
      cut.events.resize(t);
      for (std::size_t i = t; i < other.events.size(); ++i) {
        auto& e = other.events[i];
        e.price = fixed::from_raw(e.price.raw() * 3);
        e.ask = fixed::from_raw(e.ask.raw() * 3);
        if (e.kind != event_kind::bar) continue;
        auto& x = other.details[e.detail];
        for (auto* price : {&x.open, &x.high, &x.low, &x.close})
          *price = fixed::from_raw(price->raw() * 3);
      }
      const auto expected = until(whole, offset, time);
      CHECK(until(run_backtest(settings, {&cut, 1}), offset, time) == expected);
      CHECK(until(run_backtest(settings, {&other, 1}), offset, time) == expected);
    }
  }
}

TEST_CASE("no fill comes from the event of its decision or one before it") {
  const auto data = ticks("SPY", 5, 2000);
  const auto r = run_backtest(settings_of(grid()), {&data, 1});
  CHECK(r.fills.size() > 50);
  std::map<std::string, std::int64_t> decided;
  for (const auto& o : r.orders) decided[o.id] = to_micros(o.request.decided.time);
  for (const auto& f : r.fills) CHECK(to_micros(f.time) > decided.at(f.order));
}

TEST_CASE("no bar fills what was decided after it had opened") {
  const auto log = drawn_market(6).mixed(3000, 20'000);
  const symbol_data data{instrument_of("SPY"), log.events, log.details};
  const auto session = settings_for(drawn(), {{"seed", 6}}, market::period::m1);
  const auto r = run_backtest(settings_of(session), {&data, 1});
  CHECK(r.fills.size() > 200);
  std::map<std::string, std::int64_t> decided;
  for (const auto& o : r.orders) decided[o.id] = to_micros(o.request.decided.time);
  for (const auto& f : r.fills) CHECK(to_micros(f.time) >= decided.at(f.order));
}

TEST_CASE("what came to be before 1970 is measured like what came after") {
  symbol_data now{instrument_of("SPY"), {}, {}};
  std::mt19937 random(4);
  double price = 100;
  for (int i = 0; i < 300; ++i) {
    const double next = std::max(5.0, price + static_cast<double>(random() % 200) / 100 - 1);
    add_bar(now, price, next);
    price = next;
  }
  auto then = now;
  for (auto& e : then.events) e.time -= 200 * market::day_micros;
  const auto settings = settings_of(settings_for("sma_cross", {{"fast", 3}, {"slow", 7}}));
  const auto a = run_backtest(settings, {&now, 1}), b = run_backtest(settings, {&then, 1});
  CHECK(a.metrics.days == 300);
  CHECK(b.metrics.days == 300);
  CHECK(a.metrics.sharpe == b.metrics.sharpe);
  CHECK(a.metrics.exposure == b.metrics.exposure);
  CHECK(a.metrics.max_drawdown_days == b.metrics.max_drawdown_days);
  CHECK(b.curve.front().time == a.curve.front().time - 200 * market::day_micros);
}

TEST_CASE("bars that are still forming change nothing") {
  symbol_data plain{instrument_of("SPY"), {}, {}}, forming = plain;
  std::mt19937 random(3);
  double price = 100;
  for (int i = 0; i < 300; ++i) {
    const double next = std::max(5.0, price + static_cast<double>(random() % 200) / 100 - 1);
    add_bar(plain, price, next);
    for (const double so_far : {price * 0.5, price * 2}) {
      add_bar(forming, price, so_far);
      forming.events.back().flags |= market_event::forming;
    }
    add_bar(forming, price, next);
    price = next;
  }
  for (std::size_t i = 0; i < forming.events.size(); ++i)
    forming.events[i].time = static_cast<std::int64_t>(i / 3) * market::day_micros;
  const auto settings = settings_of(settings_for("sma_cross", {{"fast", 3}, {"slow", 7}}));
  const auto a = run_backtest(settings, {&plain, 1}), b = run_backtest(settings, {&forming, 1});
  CHECK(a.fills.size() > 20);
  REQUIRE(a.fills.size() == b.fills.size());
  for (std::size_t i = 0; i < a.fills.size(); ++i) {
    CHECK(a.fills[i].price == b.fills[i].price);
    CHECK(a.fills[i].time == b.fills[i].time);
  }
  CHECK(a.metrics.max_drawdown_days == b.metrics.max_drawdown_days);
  CHECK(a.metrics.days == b.metrics.days);
  CHECK(a.curve.size() == b.curve.size());
}

TEST_CASE("equal input gives equal output") {
  const auto data = ticks("SPY", 9, 1000);
  const auto a = run_backtest(settings_of(grid()), {&data, 1}),
             b = run_backtest(settings_of(grid()), {&data, 1});
  CHECK(a.fills == b.fills);
  CHECK(a.fills.size() > 20);
  CHECK(a.cash == b.cash);
  CHECK(a.metrics.max_drawdown == b.metrics.max_drawdown);
}

TEST_CASE(
    "the books balance: cash is what it was at first, less what was bought, plus sold, less fees") {
  auto settings = settings_of(grid());
  settings.venue.maker_fee_bps = units(1);
  settings.venue.taker_fee_bps = units(3);
  const auto data = ticks("SPY", 11, 5000);
  const auto r = run_backtest(settings, {&data, 1});
  money cash = settings.cash.raw();
  std::int64_t position = 0;
  for (const auto& f : r.fills) {
    const bool buys = f.side == side::buy;
    const auto value = value_of(f.quantity, f.price, buys ? rounding::up : rounding::down);
    cash += (buys ? -value : value) - f.fee.raw();
    position += buys ? f.quantity.raw() : -f.quantity.raw();
  }
  CHECK(r.fills.size() > 100);
  CHECK(r.cash == cash);
  CHECK(r.positions[0].raw() == position);
}

TEST_CASE("several symbols are merged by the time at which events are known, the first one first") {
  auto session = settings_for("buy_and_hold", {});
  session.instruments = {instrument_of("A"), instrument_of("B"), instrument_of("C")};
  std::vector<symbol_data> data{
      {instrument_of("A"), {}, {}}, {instrument_of("B"), {}, {}}, {instrument_of("C"), {}, {}}};
  add_bar(data[0], 10, 10);  // Known when its day is over, however early it began.
  const auto trade = [&](std::size_t symbol, std::int64_t time) {
    market_event e;
    e.offset = static_cast<std::int64_t>(data[symbol].events.size());
    e.time = time;
    e.price = units(10);
    e.size = units(1);
    data[symbol].events.push_back(e);
  };
  trade(1, market::day_micros);
  trade(2, market::day_micros - 1);
  const auto r = run_backtest(settings_of(session), data);
  REQUIRE(r.orders.size() == 3);
  CHECK(r.orders[0].request.symbol == "C");
  CHECK(r.orders[1].request.symbol == "A");
  CHECK(r.orders[2].request.symbol == "B");
}

TEST_CASE("all symbols share one portfolio") {
  auto session = settings_for("buy_and_hold", {});
  session.instruments = {instrument_of("A"), instrument_of("B")};
  const std::vector<symbol_data> data{ticks("A", 1, 50), ticks("B", 2, 50)};
  auto settings = settings_of(session, 15'000);
  const auto r = run_backtest(settings, data);
  REQUIRE(r.orders.size() == 2);
  CHECK(r.orders[0].status == order_status::filled);
  CHECK(r.orders[1].refused == risk_refusal::cash);
  CHECK(r.positions[1] == fixed());
}

TEST_CASE("a position is valued at the side of the quote that there is") {
  auto session = settings_for("buy_and_hold", {}, market::period::m1);
  symbol_data data{instrument_of("SPY"), {}, {}};
  market_event quote;
  quote.kind = event_kind::quote;
  quote.flags = market_event::has_bid | market_event::has_ask;
  quote.price = units(100);
  quote.ask = units(101);
  quote.size = quote.ask_size = units(1000);
  for (std::int64_t i = 0; i < 3; ++i) {
    quote.offset = i;
    quote.time = i * market::second_micros;
    data.events.push_back(quote);
    if (i == 1) quote.ask = fixed();  // Nobody offers.
  }
  const auto r = run_backtest(settings_of(session), {&data, 1});
  REQUIRE(r.fills.size() == 1);
  CHECK(to_money(r.metrics.final_equity) == r.cash + to_money(units(100 * 100)));
}

TEST_CASE(
    "a close that is denied is asked for again, and nothing is bought on top of what is held") {
  auto settings = settings_of(settings_for("sma_cross", {{"fast", 1}, {"slow", 2}}));
  settings.limits.orders_max = 1;
  settings.limits.orders_window_ms = std::chrono::hours(24 * 4);
  symbol_data data{instrument_of("SPY"), {}, {}};
  for (const double close : {10.0, 11.0, 10.0, 11.0, 10.0, 9.0, 8.0, 7.0, 6.0})
    add_bar(data, close, close);
  const auto r = run_backtest(settings, {&data, 1});
  const auto denied = std::ranges::count_if(
      r.orders, [](const auto& o) { return o.refused == risk_refusal::order_rate; });
  CHECK(denied == 2);
  REQUIRE(r.fills.size() == 2);
  CHECK(r.fills[0].side == side::buy);
  CHECK(r.fills[1].quantity == units(100));
  CHECK(r.positions[0] == fixed());
}

TEST_CASE("a bracket closes itself, and its children are told among the orders") {
  class bracket final : public strategy {
   public:
    void on_bar(const market_view&, const market::price_bar&, orders& with) override {
      if (asked_) return;
      asked_ = true;
      order_request wish;
      wish.take_profit = units(12);
      wish.stop_loss = units(9);
      with.place(wish);
    }

   private:
    bool asked_ = false;
  };
  if (find_strategy("test_bracket") == nullptr)
    add_strategy({"test_bracket",
                  "buys once, with a bracket",
                  {},
                  [](const parameter_values&) -> std::unique_ptr<strategy> {
                    return std::make_unique<bracket>();
                  },
                  {}});
  symbol_data data{instrument_of("SPY"), {}, {}};
  add_bar(data, 10, 10);
  add_bar(data, 10, 10.5);
  add_bar(data, 11, 13);
  add_bar(data, 13, 14);
  const auto r = run_backtest(settings_of(settings_for("test_bracket", {})), {&data, 1});
  REQUIRE(r.orders.size() == 3);
  CHECK(r.orders[1].request.number == 0);
  CHECK(r.fills.size() == 2);
  CHECK(r.fills[1].price == units(12));
  CHECK(r.orders[2].status == order_status::canceled);
  CHECK(r.positions[0] == fixed());
}

}  // namespace troupe::trading::test
