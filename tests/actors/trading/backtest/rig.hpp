#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "actors/trading/session.hpp"

namespace troupe::trading::test {

inline fixed units(double x) {
  return fixed::from_raw(std::llround(x * 100) * 1'000'000);
}

inline instrument instrument_of(std::string symbol) {
  instrument one;
  one.symbol = std::move(symbol);
  return one;
}

inline session_settings settings_for(std::string strategy, given_parameters parameters,
                                     market::period bars = market::period::d1) {
  session_settings s;
  s.name = "s1";
  s.portfolio = "p1";
  s.strategy = std::move(strategy);
  s.parameters = std::move(parameters);
  s.bars = bars;
  s.instruments = {instrument_of("SPY")};
  s.size.amount = units(100);
  return s;
}

/// What a strategy decided on an event, by the event's number.
struct decided {
  std::int64_t event = 0;
  trading::side side = side::buy;
  bool operator==(const decided&) const = default;
};

/// A session of one symbol whose requests are all approved, and filled whole by the next event.
class rig {
 public:
  explicit rig(session_settings settings) : s(std::move(settings)) {
    s.obey(session_command::start, out);
  }

  void bar(double close) {
    market::ohlcv x;
    x.open = x.high = x.low = x.close = units(close);
    market::market_event e;
    e.kind = market::event_kind::bar;
    e.length = s.settings().bars;
    e.time = at * length_of(e.length);
    give(e, x);
  }
  void trade(std::int64_t time, double price) {
    market::market_event e;
    e.time = time;
    e.price = units(price);
    e.size = units(1);
    give(e, {});
  }
  void quote(std::int64_t time, double bid, double ask) {
    market::market_event e;
    e.kind = market::event_kind::quote;
    e.time = time;
    e.flags = market::market_event::has_bid | market::market_event::has_ask;
    e.price = units(bid);
    e.ask = units(ask);
    e.size = e.ask_size = units(1);
    give(e, {});
  }

  void give(market::market_event e, const market::ohlcv& x) {
    e.offset = at++;
    fill_all();
    s.effects_known(0, e.offset);
    out = {};
    s.take(0, e, x, out);
    for (const auto& id : out.cancels) s.order_changed(id, order_status::canceled);
    for (const auto& r : out.requests) {
      requests.push_back(r);
      decisions.push_back({e.offset, r.side});
      s.approved(r.number, "p1-" + std::to_string(r.number), r.amount, out);
    }
  }

  session s;
  session_effects out;  // Of the last event.
  std::vector<order_request> requests;
  std::vector<decided> decisions;
  std::int64_t at = 0;  // Offset of the next event.

 private:
  void fill_all() {
    const auto open = s.open_orders(0);
    for (const auto& o : open) {
      if (o.type != order_type::market) continue;
      fill f;
      f.order = o.id;
      f.symbol = "SPY";
      f.side = o.side;
      f.quantity = o.quantity;
      s.filled(f);
      s.order_changed(o.id, order_status::filled);
    }
  }
};

}  // namespace troupe::trading::test
