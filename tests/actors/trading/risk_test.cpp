#include <doctest/doctest.h>

#include <random>

#include "risk_scene.hpp"
#include "runtime/entity/entity.hpp"

using namespace troupe;
using namespace troupe::trading;
using namespace troupe::trading::test;

namespace {

struct refusal_case {
  risk_refusal expected;
  std::string_view detail;
  void (*spoil)(scene&);
};

using enum risk_refusal;

const refusal_case cases[]{
    {none, "", [](scene&) {}},
    {duplicate, "number=1 newest=1",
     [](scene& s) { s.prepare = [&s](risk& r) { r.decide(s.order, s.facts); }; }},
    {malformed, "limit=missing", [](scene& s) { s.order.type = order_type::limit; }},
    {halted, "", [](scene& s) { s.prepare = [](risk& r) { r.set_state(trading_state::halted); }; }},
    {drawdown, "equity=101000 peak=1000000",
     [](scene& s) {
       s.limits.drawdown_max_percent = dec("20");
       s.prepare = [](risk& r) {
         portfolio_facts rich;
         rich.cash = to_money(dec("1000000"));
         r.observe(rich);
       };
     }},
    {unknown_symbol, "symbol=AAPL", [](scene& s) { s.order.symbol = "AAPL"; }},
    {untradable_symbol, "symbol=IBM", [](scene& s) { s.order.symbol = "IBM"; }},
    {good_till_past, "good_till=1700000000000000 decided=1700000000000000",
     [](scene& s) {
       s.order.in_force = time_in_force::gtd;
       s.order.good_till = s.order.decided.time;
     }},
    {price_precision, "limit=99.995 price_step=0.01", [](scene& s) { make_limit(s, "99.995"); }},
    {price_precision, "stop=99.995 price_step=0.01",
     [](scene& s) {
       s.order.type = order_type::stop;
       s.order.stop = dec("99.995");
     }},
    {price_precision, "take_profit=110.001 price_step=0.01",
     [](scene& s) { s.order.take_profit = dec("110.001"); }},
    {quantity_precision, "amount=20.5 quantity_step=1",
     [](scene& s) { s.order.amount = dec("20.5"); }},
    {no_price, "", [](scene& s) { s.order.decided = decided(5, begin_micros, "0"); }},
    {price_collar, "price=110.02 market=100.01 percent=10",
     [](scene& s) { make_limit(s, "110.02"); }},
    {price_collar, "price=90 market=100.01 percent=10", [](scene& s) { make_limit(s, "90"); }},
    {no_equity, "equity=-1000",
     [](scene& s) {
       s.facts.cash = to_money(dec("-2000"));
       s.order.size_by = sizing::percent_of_equity;
     }},
    {reduce_only, "position=10", [](scene& s) { s.order.reduce_only = true; }},
    {reducing, "position=10",
     [](scene& s) { s.prepare = [](risk& r) { r.set_state(trading_state::reducing); }; }},
    {daily_loss, "lost=899000 daily_loss_max=500",
     [](scene& s) {
       s.limits.daily_loss_max = dec("500");
       s.prepare = [&s](risk& r) {
         auto first = s;
         first.facts.cash = to_money(dec("999000"));
         first.order.session = "s2";
         first.order.decided.time -= std::chrono::seconds(1);
         r.decide(first.order, first.facts);
       };
     }},
    {quantity_min, "quantity=1 quantity_min=2", [](scene& s) { s.order.amount = dec("1"); }},
    {quantity_min, "quantity=0 quantity_min=2",
     [](scene& s) {
       s.order.size_by = sizing::notional;
       s.order.amount = dec("99");
     }},
    {quantity_max, "quantity=501 quantity_max=500", [](scene& s) { s.order.amount = dec("501"); }},
    {notional_min, "notional=200.02 notional_min=300",
     [](scene& s) {
       s.limits.symbols["SPY"].rules.notional_min = dec("300");
       s.order.amount = dec("2");
     }},
    {notional_max, "notional=40004 notional_max=40000",
     [](scene& s) { s.order.amount = dec("400"); }},
    {position_limit, "position=401 position_max=400",
     [](scene& s) { s.facts.symbols[0].open_buys = dec("371"); }},
    {position_limit, "short=101 short_max=100",
     [](scene& s) {
       s.order.side = side::sell;
       s.facts.symbols[0].open_sells = dec("91");
     }},
    {gross_exposure, "exposure=3000.3 gross_exposure_max=3000",
     [](scene& s) { s.limits.gross_exposure_max = dec("3000"); }},
    {cash, "needed=2100.2102 available=2000",
     [](scene& s) {
       s.facts.cash = to_money(dec("5000"));
       s.facts.reserved = to_money(dec("3000"));
     }},
    {open_orders, "open_orders=3 open_orders_max=3",
     [](scene& s) {
       s.limits.open_orders_max = 3;
       s.facts.open_orders = 3;
     }},
    {open_orders, "open_orders=3 open_orders_max=3",
     [](scene& s) {
       s.limits.open_orders_max = 3;
       s.facts.open_orders = 1;
       s.facts.children_to_come = 2;
     }},
    {open_orders, "open_orders=3 open_orders_max=3",
     [](scene& s) {
       s.limits.open_orders_max = 3;
       s.facts.open_orders = 1;
       s.order.take_profit = dec("110");
       s.order.stop_loss = dec("90");
     }},
    {order_rate, "orders_max=1 orders_window_ms=1000",
     [](scene& s) {
       s.limits.orders_max = 1;
       s.prepare = [&s](risk& r) {
         r.decide(s.order, s.facts);
         s.order.number = 2;
       };
     }},
};

}  // namespace

TEST_CASE("every refusal of the risk check, by name and with its figures") {
  std::array<bool, risk_refusal_count> seen{};
  for (const auto& c : cases) {
    CAPTURE(name_of(c.expected));
    scene s;
    c.spoil(s);
    const auto v = s.decide();
    CHECK(name_of(v.refused) == name_of(c.expected));
    if (c.expected != risk_refusal::cash) CHECK(v.detail == c.detail);
    if (!v.approved()) CHECK(v.quantity == fixed{});
    seen[static_cast<std::size_t>(v.refused)] = true;
  }
  for (std::size_t i = 0; i < seen.size(); ++i) {
    CAPTURE(name_of(static_cast<risk_refusal>(i)));
    CHECK(seen[i]);
  }
}

namespace {

/// The second spoiling heals the first: it gives a limit, another size or another side.
bool heals(risk_refusal first, risk_refusal by) {
  const std::pair<risk_refusal, risk_refusal> pairs[]{
      {malformed, price_precision},    {malformed, price_collar},
      {quantity_precision, no_equity}, {quantity_precision, quantity_min},
      {price_collar, position_limit},  {notional_max, position_limit}};
  return std::find(std::begin(pairs), std::end(pairs), std::pair{first, by}) != std::end(pairs);
}

}  // namespace

TEST_CASE("of all that is wrong the first by number is told") {
  std::size_t judged = 0;
  for (std::size_t i = 1; i < std::size(cases); ++i)
    for (std::size_t j = i + 1; j < std::size(cases); ++j) {
      scene one_way, other_way;
      cases[i].spoil(one_way);
      if (one_way.prepare || heals(cases[i].expected, cases[j].expected)) continue;
      cases[j].spoil(one_way);
      cases[j].spoil(other_way);
      if (other_way.prepare) continue;
      cases[i].spoil(other_way);
      const auto got = one_way.decide().refused, same = other_way.decide().refused;
      if (got != same) continue;  // The later spoiling has undone the earlier one.
      ++judged;
      CAPTURE(name_of(cases[i].expected));
      CAPTURE(name_of(cases[j].expected));
      CAPTURE(name_of(got));
      CHECK(got <= cases[i].expected);
    }
  CHECK(judged > 150);
}

TEST_CASE("requests that do not hold together") {
  struct malformed_case {
    std::string_view detail;
    void (*spoil)(order_request&);
  };
  const malformed_case table[]{
      {"session=not_a_name", [](order_request& r) { r.session = ""; }},
      {"number=below_1", [](order_request& r) { r.number = 0; }},
      {"symbol=not_a_name", [](order_request& r) { r.symbol = "a\nb"; }},
      {"amount=not_above_0", [](order_request& r) { r.amount = dec("0"); }},
      {"price=below_0", [](order_request& r) { r.limit = dec("-1"); }},
      {"limit=not_of_this_type", [](order_request& r) { r.limit = dec("1"); }},
      {"limit=missing",
       [](order_request& r) {
         r.type = order_type::stop_limit;
         r.stop = dec("1");
       }},
      {"stop=missing", [](order_request& r) { r.type = order_type::stop; }},
      {"stop=not_of_this_type", [](order_request& r) { r.stop = dec("1"); }},
      {"trail=missing", [](order_request& r) { r.type = order_type::trailing_stop; }},
      {"trail=not_of_this_type", [](order_request& r) { r.trail = dec("1"); }},
      {"good_till=missing", [](order_request& r) { r.in_force = time_in_force::gtd; }},
      {"good_till=not_gtd", [](order_request& r) { r.good_till = from_micros(1); }},
      {"in_force=not_of_stops",
       [](order_request& r) {
         r.type = order_type::stop;
         r.stop = dec("1");
         r.in_force = time_in_force::ioc;
       }},
      {"post_only=not_of_takers", [](order_request& r) { r.post_only = true; }},
      {"post_only=not_of_takers",
       [](order_request& r) {
         r.type = order_type::limit;
         r.limit = dec("1");
         r.in_force = time_in_force::fok;
         r.post_only = true;
       }},
      {"volatility=missing", [](order_request& r) { r.size_by = sizing::volatility_target; }},
      {"volatility=not_of_this_sizing", [](order_request& r) { r.volatility = dec("1"); }},
      {"bracket=of_reduce_only",
       [](order_request& r) {
         r.reduce_only = true;
         r.stop_loss = dec("90");
       }},
      {"stop_loss=beyond_take_profit",
       [](order_request& r) {
         r.stop_loss = dec("110");
         r.take_profit = dec("90");
       }},
      {"stop_loss=beyond_take_profit",
       [](order_request& r) {
         r.side = side::sell;
         r.stop_loss = dec("90");
         r.take_profit = dec("110");
       }},
      {"take_profit=worse_than_limit",
       [](order_request& r) {
         r.type = order_type::limit;
         r.limit = dec("100");
         r.take_profit = dec("99");
       }},
      {"stop_loss=better_than_limit",
       [](order_request& r) {
         r.type = order_type::limit;
         r.limit = dec("100");
         r.stop_loss = dec("101");
       }},
  };
  for (const auto& c : table) {
    CAPTURE(c.detail);
    scene s;
    c.spoil(s.order);
    const auto v = s.decide();
    CHECK(v.refused == malformed);
    CHECK(v.detail == c.detail);
  }
}

TEST_CASE("a number has one verdict, and a session's numbers grow") {
  scene s;
  risk r(s.limits);
  CHECK(r.decide(s.order, s.facts).number == 1);
  s.order.number = 5;
  CHECK(r.decide(s.order, s.facts).number == 2);
  const auto again = r.decide(s.order, s.facts);
  CHECK(again.refused == duplicate);
  CHECK(again.number == 0);
  s.order.number = 4;
  CHECK(r.decide(s.order, s.facts).refused == duplicate);
  s.order.session = "s2";
  CHECK(r.decide(s.order, s.facts).number == 3);
  CHECK(r.verdicts() == 3);
}

TEST_CASE("approved orders count before the portfolio has told of them") {
  scene s;
  risk r(s.limits);
  s.order.amount = dec("200");
  CHECK(r.decide(s.order, s.facts).approved());
  s.order.number = 2;
  CHECK(r.decide(s.order, s.facts).refused == position_limit);
  s.order.amount = dec("190");
  s.order.number = 3;
  CHECK(r.decide(s.order, s.facts).approved());

  // The facts know of the first one now; both count once.
  s.facts.placed = 1;
  s.facts.symbols[0].open_buys = dec("200");
  s.order.amount = dec("2");
  s.order.number = 4;
  CHECK(r.decide(s.order, s.facts).detail == "position=402 position_max=400");
  s.facts.placed = 3;
  s.facts.symbols[0].open_buys = dec("388");
  s.order.number = 5;
  CHECK(r.decide(s.order, s.facts).approved());
}

TEST_CASE("cash that is in flight is not spent twice") {
  scene s;
  s.facts.cash = to_money(dec("5000"));
  risk r(s.limits);
  CHECK(r.decide(s.order, s.facts).approved());
  s.order.number = 2;
  CHECK(r.decide(s.order, s.facts).approved());
  s.order.number = 3;
  CHECK(r.decide(s.order, s.facts).refused == risk_refusal::cash);
}

TEST_CASE("a position that has outgrown the limits of one order can be closed") {
  scene s;
  s.facts.symbols[0].position = dec("600");  // 60,000 where an order may be 40,000 and 500 units.
  s.order.side = side::sell;
  s.order.amount = dec("450");
  CHECK(s.decide().approved());
  s.order.amount = dec("600");
  CHECK(s.decide().refused == quantity_max);
  s.order.reduce_only = true;
  const auto v = s.decide();
  CHECK(v.approved());
  CHECK(v.quantity == dec("500"));  // What a venue takes at once; the rest is the next order's.
  s.order.side = side::buy;
  s.order.reduce_only = false;
  s.order.amount = dec("450");
  CHECK(s.decide().refused == notional_max);
}

TEST_CASE("limits that are broken already let pass what makes the breach smaller") {
  scene s;
  s.facts.symbols[0].position = dec("1000");
  s.limits.gross_exposure_max = dec("100");
  s.facts.cash = 0;
  s.order.side = side::sell;
  CHECK(s.decide().approved());
  s.facts.symbols[0].position = dec("-1000");
  CHECK(s.decide().refused == position_limit);
  s.order.side = side::buy;
  CHECK(s.decide().approved());
}

TEST_CASE("the order rate counts approved orders of the last window of the decisions' time") {
  scene s;
  s.limits.orders_max = 2;
  s.limits.orders_window_ms = std::chrono::milliseconds(1000);
  risk r(s.limits);
  const std::pair<std::int64_t, bool> decisions[]{
      {900'000, true},       {950'000, true},    {1'000'000, false},  // Across a second's edge.
      {1'899'999, false},    {1'900'000, true},  {1'949'999, false},
      {1'950'000, true},     {1'000'000, false},  // On an older event.
      {2'900'000, true},     {2'950'000, true},  {2'950'000, false},
      {9'000'000'000, true},  // One far ahead says nothing of those that follow.
      {3'900'000, true},     {3'910'000, false}, {3'950'000, true},
      {4'899'999, false},    {4'900'000, true}};
  for (const auto& [after, passes] : decisions) {
    CAPTURE(after);
    s.order.decided.time = from_micros(begin_micros + after);
    CHECK(r.decide(s.order, s.facts).approved() == passes);
    ++s.order.number;
  }
}

TEST_CASE("the order rate: its state is bounded, and older states load") {
  scene s;
  s.limits.orders_max = 3;
  s.limits.orders_window_ms = std::chrono::milliseconds(1000);
  risk r(s.limits);
  for (int i = 0; i < 1000; ++i, ++s.order.number) {
    s.order.decided.time = from_micros(begin_micros + i * 400'000);
    CHECK(r.decide(s.order, s.facts).approved());
    s.facts.placed = r.verdicts();
  }
  auto state = nlohmann::json::parse(r.save());
  CHECK(state["approvals"].size() == 12);
  s.order.decided.time = from_micros(begin_micros + 999 * 400'000 + 199'999);
  CHECK(risk::load(state.dump()).decide(s.order, s.facts).refused == order_rate);
  state.erase("approvals");
  CHECK_THROWS_WITH_AS(risk::load(state.dump()), doctest::Contains("approvals"), bad_state);
  state["window"] = 7;
  state["window_orders"] = 3;
  state["day_equity"] = "0";
  state["sessions"]["s1"] = 1000;
  state.erase("days");
  CHECK(risk::load(state.dump(), 1).decide(s.order, s.facts).approved());
  s.limits.orders_max.reset();
  r.set_limits(s.limits);
  CHECK(nlohmann::json::parse(r.save())["approvals"].empty());
}

TEST_CASE("a verdict does not depend on when the state was saved") {
  scene s;
  s.limits.drawdown_max_percent = dec("5");
  s.limits.daily_loss_max = dec("3000");
  s.limits.orders_max = 5;
  std::mt19937 random(7);
  risk straight(s.limits), saved(s.limits);
  for (int i = 1; i <= 300; ++i) {
    s.order =
        request(i, random() % 2 == 0 ? side::buy : side::sell, std::to_string(1 + random() % 150));
    s.order.decided = decided(i, begin_micros + i * 100'000, std::to_string(90 + random() % 20));
    s.facts.cash += static_cast<std::int64_t>(random() % 21 - 10) * 10'000'000'000;
    s.facts.placed = straight.verdicts() - static_cast<std::int64_t>(random() % 3);
    CHECK(straight.decide(s.order, s.facts) == saved.decide(s.order, s.facts));
    const auto text = saved.save();
    saved = risk::load(text);
    CHECK(saved.save() == text);
    if (random() % 40 == 0)
      straight.set_state(trading_state::active), saved.set_state(trading_state::active);
  }
}

TEST_CASE("damaged states of a risk check are refused by name") {
  risk r(scene().limits);
  const auto good = r.save();
  CHECK_THROWS_AS(risk::load("7"), bad_state);
  auto text = good;
  text.replace(text.find(R"("verdicts":0)"), 12, R"("verdicts":-1)");
  CHECK_THROWS_WITH_AS(risk::load(text), doctest::Contains("verdicts = -1"), bad_state);
  text = good;
  text.replace(text.find(R"("active")"), 8, R"("asleep")");
  CHECK_THROWS_WITH_AS(risk::load(text), doctest::Contains("active, reducing, halted"), bad_state);
  scene s;
  r.decide(s.order, s.facts);
  auto state = nlohmann::json::parse(r.save());
  state["days"][0]["day"] = 1;
  CHECK_THROWS_WITH_AS(risk::load(state.dump()),
                       doctest::Contains("must have the day of session s1"), bad_state);
}
