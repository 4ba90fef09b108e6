#pragma once

#include <functional>

#include "actors/trading/risk.hpp"
#include "trading_support.hpp"

namespace troupe::trading::test {

/// A portfolio with 10 SPY at 100 and 100,000 in cash, and limits that let ordinary orders pass.
struct scene {
  scene() {
    symbol_limits spy;
    spy.rules = {"SPY", dec("0.01"), dec("1"), dec("2"), dec("500"), dec("50"), dec("40000"), true};
    spy.position_max = dec("400");
    spy.short_max = dec("100");
    spy.price_collar_percent = dec("10");
    limits.symbols["SPY"] = spy;
    spy.rules.tradable = false;
    limits.symbols["IBM"] = spy;
    facts.names.add("SPY");
    facts.symbols.push_back({dec("10"), {}, {}, dec("100")});
    facts.cash = to_money(dec("100000"));
    order = request(1, side::buy, "20");
    order.decided = decided(5, begin_micros, "100", "99.99", "100.01");
  }

  verdict decide() {
    risk r(limits);
    if (prepare) prepare(r);
    return r.decide(order, facts);
  }

  risk_limits limits;
  portfolio_facts facts;
  order_request order;
  std::function<void(risk&)> prepare;
};

inline void make_limit(scene& s, std::string_view price) {
  s.order.type = order_type::limit;
  s.order.limit = dec(price);
}

}  // namespace troupe::trading::test
