// What the risk check stops by itself, or because an operator says so.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "risk_scene.hpp"

using namespace troupe;
using namespace troupe::trading;
using namespace troupe::trading::test;
using enum troupe::trading::risk_refusal;

TEST_CASE("what only closes a position passes while trading is reducing or the day is lost") {
  scene s;
  s.order.side = side::sell;
  s.order.amount = dec("10");
  s.prepare = [](risk& r) { r.set_state(trading_state::reducing); };
  CHECK(s.decide().approved());
  s.order.amount = dec("11");
  CHECK(s.decide().refused == reducing);
  s.order.reduce_only = true;
  const auto v = s.decide();
  CHECK(v.approved());
  CHECK(v.quantity == dec("10"));
  s.order.reduce_only = false;
  s.order.amount = dec("10");
  s.facts.symbols[0].open_sells = dec("1");
  CHECK(s.decide().refused == reducing);
}

TEST_CASE("the drawdown limit halts trading by itself until an operator says otherwise") {
  scene s;
  s.limits.drawdown_max_percent = dec("10");
  risk r(s.limits);
  CHECK_FALSE(r.observe(s.facts));
  s.facts.cash = to_money(dec("89900"));
  CHECK_FALSE(r.observe(s.facts));  // 101,000 to 90,900: exactly ten percent.
  s.facts.cash -= 1;
  CHECK(r.observe(s.facts));
  CHECK_FALSE(r.observe(s.facts));
  CHECK(r.state() == trading_state::halted);
  s.facts.cash = to_money(dec("100000"));
  CHECK(r.decide(s.order, s.facts).refused == drawdown);
  r.set_state(trading_state::active);
  s.order.number = 2;
  s.facts.cash = to_money(dec("80000"));
  CHECK(r.decide(s.order, s.facts).approved());
}

TEST_CASE("after the drawdown limit an operator may let positions be closed, and nothing else") {
  scene s;
  s.limits.drawdown_max_percent = dec("10");
  risk r(s.limits);
  r.observe(s.facts);
  s.facts.cash = to_money(dec("80000"));
  CHECK(r.observe(s.facts));
  r.set_state(trading_state::reducing);
  CHECK_FALSE(r.observe(s.facts));
  CHECK(r.decide(s.order, s.facts).refused == reducing);
  s.order.number = 2;
  s.order.side = side::sell;
  s.order.reduce_only = true;
  CHECK(r.decide(s.order, s.facts).approved());
  s.facts.cash = to_money(dec("70000"));  // Fallen further, by more than the limit again.
  CHECK(r.observe(s.facts));
  CHECK(r.state() == trading_state::halted);
}

TEST_CASE("a lost day ends at midnight UTC") {
  scene s;
  s.limits.daily_loss_max = dec("100");
  risk r(s.limits);
  CHECK(r.decide(s.order, s.facts).approved());
  s.facts.cash -= to_money(dec("100.00000001"));
  s.order.number = 2;
  CHECK(r.decide(s.order, s.facts).refused == daily_loss);
  s.order.number = 3;
  s.order.decided.time += std::chrono::seconds(6'399);
  CHECK(r.decide(s.order, s.facts).refused == daily_loss);
  s.order.number = 4;
  s.order.decided.time += std::chrono::seconds(1);
  CHECK(r.decide(s.order, s.facts).approved());
}

TEST_CASE("a day's loss counts from the first decision of that day, for everybody who is in it") {
  struct step {
    const char* session;
    int day;
    const char* cash;
    risk_refusal expected;
  };
  using enum risk_refusal;
  const step steps[]{
      {"s1", 0, "100000", none},        // Day 0 begins with 100,000.
      {"by-hand", 700, "99950", none},  // Today, by hand, in the middle of the replay.
      {"s1", 0, "99899", daily_loss},   // 101 lost since, as if nobody had ordered by hand.
      {"by-hand", 700, "99899", none},  // 51 lost today.
      {"s2", 0, "99899", daily_loss},   // One day for all sessions that are in it.
      {"s1", 1, "99899", none},         // A new day for one ...
      {"s2", 0, "99899", daily_loss},   // ... the old one for the other.
      {"s1", 0, "99798", daily_loss},   // Its late symbol: a session's day never goes back.
      {"s1", 1, "99798", daily_loss},   // Day 1 began with 99,899.
      {"s2", 2, "99798", none},         // Nobody is in day 0 any more.
      {"by-hand", 701, "99700", none},  // A new day for the people, too.
      {"by-hand", 701, "99599", daily_loss},
  };
  scene s;
  s.limits.daily_loss_max = dec("100");
  risk r(s.limits);
  std::int64_t number = 0;
  for (const auto& one : steps) {
    s.order.session = one.session;
    s.order.number = ++number;
    CAPTURE(number);
    s.order.decided.time = from_micros(begin_micros) + std::chrono::hours(24 * one.day);
    s.facts.cash = to_money(dec(one.cash));
    s.facts.placed = r.verdicts();
    CHECK(name_of(r.decide(s.order, s.facts).refused) == name_of(one.expected));
    r = risk::load(r.save());
  }
  CHECK(nlohmann::json::parse(r.save())["days"].size() == 3);
}

TEST_CASE("no day begins before the portfolio does: what it is opened with may be lost, too") {
  struct step {
    const char* cash;
    std::int64_t placed;
    risk_refusal expected;
  };
  using enum risk_refusal;
  const std::vector<step> opened_late{{"0", 0, cash},
                                      {"0", 0, cash},
                                      {"100000", 0, none},
                                      {"99899.99999999", 3, daily_loss},
                                      {"99900", 4, none}};
  const std::vector<step> on_credit{{"0", 0, none}, {"-100.00000001", 1, daily_loss}};
  for (const auto& steps : {opened_late, on_credit}) {
    scene s;
    s.facts = {};
    s.limits.daily_loss_max = dec("100");
    s.limits.cash_required = steps.front().expected == cash;
    risk r(s.limits);
    s.order.number = 0;
    for (const auto& one : steps) {
      ++s.order.number;
      CAPTURE(s.order.number);
      s.facts.cash = to_money(dec(one.cash));
      s.facts.placed = one.placed;
      CHECK(name_of(r.decide(s.order, s.facts).refused) == name_of(one.expected));
      r = risk::load(r.save());
    }
  }
}

TEST_CASE("a state of the time when there was one day for all goes on with that day") {
  scene s;
  s.limits.daily_loss_max = dec("100");
  risk r(s.limits);
  CHECK(r.decide(s.order, s.facts).approved());
  auto state = nlohmann::json::parse(r.save());
  state["day"] = state["days"][0]["day"];
  state["day_equity"] = state["days"][0]["equity"];
  state["sessions"]["s1"] = 1;
  state.erase("days");
  r = risk::load(state.dump(), 2);
  s.facts.cash -= to_money(dec("100.00000001"));
  CHECK(r.decide(s.order, s.facts).refused == duplicate);
  s.order.number = 2;
  CHECK(r.decide(s.order, s.facts).refused == daily_loss);
  CHECK_THROWS_AS(risk::load(state.dump()), bad_state);
}
