#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "actors/trading/paper_book.hpp"
#include "actors/trading/portfolio.hpp"
#include "actors/trading/risk.hpp"

namespace troupe::trading::test {

inline fixed dec(std::string_view text) {
  return parse_fixed(text).value();
}

inline constexpr std::int64_t second = 1'000'000;
inline constexpr std::int64_t begin_micros = 1'700'000'000 * second;  // 2023-11-14 22:13:20 UTC

inline decision_point decided(std::int64_t offset, std::int64_t time, std::string_view last = "100",
                              std::string_view bid = "0", std::string_view ask = "0") {
  return {offset, from_micros(time), dec(last), dec(bid), dec(ask)};
}

inline order_request request(std::int64_t number, side s, std::string_view amount,
                             order_type type = order_type::market) {
  order_request r;
  r.session = "s1";
  r.number = number;
  r.symbol = "SPY";
  r.side = s;
  r.type = type;
  r.amount = dec(amount);
  r.decided = decided(0, begin_micros);
  return r;
}

inline order_request limit_request(std::int64_t number, side s, std::string_view amount,
                                   std::string_view limit) {
  auto r = request(number, s, amount, order_type::limit);
  r.limit = dec(limit);
  return r;
}

inline verdict approval(std::int64_t number, std::string_view quantity) {
  verdict v;
  v.number = number;
  v.quantity = dec(quantity);
  v.reserve_price = dec("100");
  return v;
}

/// Keeps what a portfolio brings forth, as short texts: `placed 1`, `cancel 2`, `quantity 3=40`,
/// `filled 1 p1-1.1`, `changed 1 working`.
class kept_portfolio_output final : public portfolio_listener {
 public:
  void order_placed(const order& o) override { add("placed", o); }
  void cancel_asked(const order& o, const decision_point&) override { add("cancel", o); }
  void quantity_changed(const order& o) override {
    add("quantity", o, "=" + to_string(o.terms.quantity));
  }
  void order_filled(const order& o, const fill& f) override { add("filled", o, " " + f.id); }
  void order_changed(const order& o) override {
    add("changed", o, " " + std::string(name_of(o.status)));
  }

  std::vector<std::string> taken() { return std::exchange(said_, {}); }

 private:
  void add(const char* what, const order& o, const std::string& more = {}) {
    said_.push_back(std::string(what) + ' ' + std::to_string(o.number) + more);
  }
  std::vector<std::string> said_;
};

inline order_report report(report_kind what, std::string_view order) {
  return {what, std::string(order), {}, from_micros(begin_micros), {}, -1};
}

inline order_report filled(std::string_view order, int n, side s, std::string_view quantity,
                           std::string_view price, std::string_view fee = "0") {
  auto r = report(report_kind::filled, order);
  r.trade.id = std::string(order) + '.' + std::to_string(n);
  r.trade.order = order;
  r.trade.symbol = "SPY";
  r.trade.side = s;
  r.trade.quantity = dec(quantity);
  r.trade.price = dec(price);
  r.trade.fee = dec(fee);
  r.trade.time = r.time;
  return r;
}

inline market::market_event trade(std::int64_t offset, std::string_view price,
                                  std::string_view size = "1000") {
  market::market_event e;
  e.kind = market::event_kind::trade;
  e.offset = offset;
  e.time = begin_micros + offset * second;
  e.price = dec(price);
  e.size = dec(size);
  return e;
}

inline market::market_event quote(std::int64_t offset, std::string_view bid, std::string_view ask,
                                  std::string_view bid_size = "1000",
                                  std::string_view ask_size = "1000") {
  market::market_event e;
  e.kind = market::event_kind::quote;
  e.offset = offset;
  e.time = begin_micros + offset * second;
  e.flags = market::market_event::has_bid | market::market_event::has_ask;
  e.price = dec(bid);
  e.size = dec(bid_size);
  e.ask = dec(ask);
  e.ask_size = dec(ask_size);
  return e;
}

inline market::market_event bar(std::int64_t offset) {
  market::market_event e;
  e.kind = market::event_kind::bar;
  e.offset = offset;
  e.time = begin_micros + offset * second;
  return e;
}

inline market::ohlcv prices(std::string_view open, std::string_view high, std::string_view low,
                            std::string_view close) {
  market::ohlcv p;
  p.open = dec(open);
  p.high = dec(high);
  p.low = dec(low);
  p.close = dec(close);
  return p;
}

/// Reports as short texts: `acknowledged 1`, `filled 1 5@100.5 taker fee=0.1`, `canceled 1 group`.
inline std::vector<std::string> texts(const paper_book::reports& reports) {
  std::vector<std::string> all;
  for (const auto& r : reports) {
    auto text = std::string(name_of(r.what)) + ' ' + r.order.substr(r.order.rfind('-') + 1);
    if (r.what == report_kind::filled) {
      text += ' ' + to_string(r.trade.quantity) + '@' + to_string(r.trade.price);
      text += r.trade.maker ? " maker" : " taker";
      if (r.trade.fee.raw() != 0) text += " fee=" + to_string(r.trade.fee);
    }
    if (!r.reason.empty()) text += ' ' + r.reason;
    all.push_back(text);
  }
  return all;
}

using strings = std::vector<std::string>;

/// A portfolio and a paper venue that hear each other, in one thread.
class desk final : public portfolio_listener {
 public:
  desk(fixed cash, paper_options options) : held({"p1", cash, 50}), book("SPY", options) {}

  void order_placed(const order& o) override { book.take(o.terms, reports); }
  void cancel_asked(const order& o, const decision_point& d) override {
    book.cancel(o.terms.id, d, reports);
  }
  void quantity_changed(const order& o) override {
    book.change_quantity(o.terms.id, o.terms.quantity, o.updated, reports);
  }
  void order_filled(const order&, const fill& f) override { fills.push_back(f); }
  void order_changed(const order&) override {}

  void apply(const market::market_event& e, const market::ohlcv* bar = nullptr) {
    book.apply(e, bar, reports);
    settle();
  }
  /// Lets the portfolio hear all that the venue has said.
  void settle() {
    for (std::size_t i = 0; i < reports.size(); ++i) {
      const auto r = reports[i];  // Taking it may add more.
      refusals.push_back(held.take(r, *this));
    }
    reports.clear();
  }

  portfolio held;
  paper_book book;
  paper_book::reports reports;
  std::vector<fill> fills;
  std::vector<portfolio_refusal> refusals;
};

}  // namespace troupe::trading::test
