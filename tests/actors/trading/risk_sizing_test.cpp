#include <doctest/doctest.h>

#include "trading_support.hpp"

using namespace troupe;
using namespace troupe::trading;
using namespace troupe::trading::test;

namespace {

struct sizing_case {
  sizing by;
  std::string_view amount, volatility, price, lot, quantity;
};

// Equity is 100,000.
const sizing_case cases[]{
    {sizing::quantity, "17", "0", "100", "1", "17"},
    {sizing::notional, "1000", "0", "100", "1", "10"},
    {sizing::notional, "1099.99", "0", "100", "1", "10"},
    {sizing::notional, "1000", "0", "30", "1", "33"},
    {sizing::notional, "1000", "0", "30", "0.001", "33.333"},
    {sizing::notional, "1000", "0", "30", "0.00000001", "33.33333333"},
    {sizing::percent_of_equity, "10", "0", "100", "1", "100"},
    {sizing::percent_of_equity, "33.33333333", "0", "7", "5", "4760"},
    // 1 percent of equity a day at 2 percent a day: half of equity.
    {sizing::volatility_target, "1", "2", "100", "1", "500"},
    {sizing::volatility_target, "0.5", "3", "100", "1", "166"},
};

}  // namespace

TEST_CASE("orders are sized and rounded down to the lot") {
  for (const auto& c : cases) {
    CAPTURE(c.amount);
    CAPTURE(c.price);
    CAPTURE(c.lot);
    risk_limits limits;
    limits.cash_required = false;
    symbol_limits any;
    any.rules.quantity_step = dec(c.lot);
    limits.symbols["*"] = any;
    portfolio_facts facts;
    facts.cash = to_money(dec("100000"));
    auto r = request(1, side::buy, c.amount);
    r.size_by = c.by;
    r.volatility = dec(c.volatility);
    r.decided = decided(1, begin_micros, c.price);
    const auto v = risk(limits).decide(r, facts);
    CHECK(v.detail == "");
    CHECK(to_string(v.quantity) == c.quantity);
  }
}

TEST_CASE("limit orders are sized by their limit, others by the side that they take from") {
  risk_limits limits;
  limits.symbols["*"] = {};
  portfolio_facts facts;
  facts.cash = to_money(dec("100000"));
  auto r = request(1, side::buy, "1000");
  r.size_by = sizing::notional;
  r.decided = decided(1, begin_micros, "100", "50", "200");
  const auto sized = [&] { return to_string(risk(limits).decide(r, facts).quantity); };
  CHECK(sized() == "5");
  r.type = order_type::limit;
  r.limit = dec("10");
  CHECK(sized() == "100");
  r.type = order_type::market;
  r.limit = {};
  limits.symbols["*"].short_max = dec("1000");
  r.side = side::sell;
  CHECK(sized() == "20");
}

TEST_CASE("no amount overflows") {
  risk_limits limits;
  limits.cash_required = false;
  limits.symbols["*"] = {};
  portfolio_facts facts;
  facts.cash = (wide{1} << 100);
  for (const auto by :
       {sizing::quantity, sizing::notional, sizing::percent_of_equity, sizing::volatility_target}) {
    auto r = request(1, side::buy, "1");
    r.amount = fixed::from_raw(INT64_MAX);
    r.size_by = by;
    if (by == sizing::volatility_target) r.volatility = fixed::from_raw(1);
    r.decided.last = fixed::from_raw(1);
    CHECK(risk(limits).decide(r, facts).refused == risk_refusal::position_limit);
    r.decided.last = fixed::from_raw(INT64_MAX);
    const auto v = risk(limits).decide(r, facts);
    CHECK((v.approved() || v.refused == risk_refusal::position_limit));
  }
}

TEST_CASE("what a buy reserves: its limit, or the market and a reserve; fees on top; rounded up") {
  risk_limits limits;
  limits.symbols["*"] = {};
  limits.fee_reserve_bps = dec("10");
  limits.market_reserve_percent = dec("1");
  portfolio_facts facts;
  facts.cash = to_money(dec("100000"));
  auto r = request(1, side::buy, "1");
  const auto reserved = [&] { return to_string(risk(limits).decide(r, facts).reserve_price); };
  CHECK(reserved() == "101.10100002");
  r.type = order_type::limit;
  r.limit = dec("90");
  CHECK(reserved() == "90.09000001");
  limits.fee_reserve_bps = {};
  CHECK(reserved() == "90");
  r.type = order_type::stop;
  r.limit = {};
  r.stop = dec("200");
  CHECK(reserved() == "202.00000001");
}
