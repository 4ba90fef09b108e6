#include <doctest/doctest.h>

#include <random>

#include "runtime/entity/entity.hpp"
#include "trading_support.hpp"

using namespace troupe;
using namespace troupe::trading;
using namespace troupe::trading::test;

namespace {

venue_order bid_order(std::string_view quantity, std::string_view price) {
  venue_order o;
  o.id = "p1-1";
  o.portfolio = "p1";
  o.symbol = "SPY";
  o.type = order_type::limit;
  o.quantity = dec(quantity);
  o.limit = dec(price);
  o.decided = decided(0, begin_micros);
  return o;
}

strings on(paper_book& book, const market::market_event& e) {
  paper_book::reports out;
  book.apply(e, nullptr, out);
  return texts(out);
}

paper_book queueing(std::string_view quantity = "5") {
  paper_options options;
  options.queue_position = true;
  paper_book book("SPY", options);
  paper_book::reports out;
  book.take(bid_order(quantity, "100"), out);
  return book;
}

}  // namespace

TEST_CASE("a limit order at the touch waits behind what was displayed before it") {
  auto book = queueing();
  CHECK(on(book, quote(1, "100", "101", "30")) == strings{});
  CHECK(on(book, trade(2, "100", "10")) == strings{});
  CHECK(on(book, trade(3, "100", "20")) == strings{});
  CHECK(on(book, trade(4, "100", "2")) == strings{"filled 1 2@100 maker"});
  CHECK(on(book, trade(5, "100", "20")) == strings{"filled 1 3@100 maker"});
}

TEST_CASE("what is left of a trade behind the queue fills") {
  auto book = queueing();
  on(book, quote(1, "100", "101", "30"));
  CHECK(on(book, trade(2, "100", "33")) == strings{"filled 1 3@100 maker"});
}

TEST_CASE("the queue shrinks with the displayed size, and never grows") {
  auto book = queueing();
  on(book, quote(1, "100", "101", "30"));
  on(book, quote(2, "100", "101", "4"));
  on(book, quote(3, "100", "101", "50"));
  CHECK(on(book, trade(4, "100", "5")) == strings{"filled 1 1@100 maker"});
}

TEST_CASE("an order that betters the market has nobody before it") {
  auto book = queueing();
  on(book, quote(1, "99", "101", "30"));
  CHECK(on(book, trade(2, "100", "5")) == strings{"filled 1 5@100 maker"});
}

TEST_CASE("behind the touch the queue is unknown until the market comes to it") {
  auto book = queueing();
  on(book, quote(1, "100.5", "101", "30"));
  CHECK(on(book, trade(2, "100", "500")) == strings{});
  on(book, quote(3, "100", "101", "7"));
  CHECK(on(book, trade(4, "100", "9")) == strings{"filled 1 2@100 maker"});
}

TEST_CASE("a trade or a quote through the limit fills whoever waits") {
  auto book = queueing();
  on(book, quote(1, "100", "101", "30"));
  CHECK(on(book, trade(2, "99.99", "1")) == strings{"filled 1 5@100 maker"});
  book = queueing();
  on(book, quote(1, "100", "101", "30"));
  CHECK(on(book, quote(2, "99", "100")) == strings{"filled 1 5@100 maker"});
}

TEST_CASE("with a queue a bar must go through the limit") {
  auto book = queueing();
  paper_book::reports out;
  const auto touch = prices("101", "102", "100", "101"),
             through = prices("101", "102", "99", "101");
  book.apply(bar(1), &touch, out);
  CHECK(out.empty());
  book.apply(bar(2), &through, out);
  CHECK(texts(out) == strings{"filled 1 5@100 maker"});
}

namespace {

struct stream {
  std::vector<market::market_event> events;
  std::vector<market::ohlcv> bars;
};

stream random_stream(std::mt19937& random, int count) {
  stream s;
  std::int64_t cents = 10'000;
  for (int i = 1; i <= count; ++i) {
    cents += static_cast<std::int64_t>(random() % 41) - 20;
    const auto price = fixed::from_raw(cents * 1'000'000);
    const auto above = fixed::from_raw((cents + 1 + random() % 3) * 1'000'000);
    market::market_event e;
    market::ohlcv p;
    switch (random() % 3) {
      case 0:
        e = trade(i, "1", std::to_string(1 + random() % 20));
        e.price = price;
        break;
      case 1:
        e = quote(i, "1", "1", std::to_string(random() % 20), std::to_string(random() % 20));
        e.price = price;
        e.ask = above;
        if (random() % 4 == 0) e.flags = market::market_event::has_bid;
        break;
      default:
        e = bar(i);
        p.open = p.close = price;
        p.high = fixed::from_raw((cents + random() % 30) * 1'000'000);
        p.low = fixed::from_raw((cents - static_cast<std::int64_t>(random() % 30)) * 1'000'000);
    }
    s.events.push_back(e);
    s.bars.push_back(p);
  }
  return s;
}

venue_order random_order(std::mt19937& random, int number, std::int64_t offset) {
  venue_order o;
  o.id = "p1-" + std::to_string(number);
  o.portfolio = "p1";
  o.symbol = "SPY";
  o.side = random() % 2 == 0 ? side::buy : side::sell;
  o.type = static_cast<order_type>(random() % 5);
  o.quantity = fixed::from_raw(static_cast<std::int64_t>(1 + random() % 30) * fixed::scale);
  const auto near = [&] {
    return fixed::from_raw(static_cast<std::int64_t>(9'950 + random() % 100) * 1'000'000);
  };
  if (o.type == order_type::limit || o.type == order_type::stop_limit) o.limit = near();
  if (o.type == order_type::stop || o.type == order_type::stop_limit) o.stop = near();
  if (o.type == order_type::trailing_stop) o.trail = dec("0.3");
  if (o.type <= order_type::limit) o.in_force = static_cast<time_in_force>(random() % 3);
  o.post_only =
      o.type == order_type::limit && o.in_force == time_in_force::gtc && random() % 4 == 0;
  o.reduce_only = random() % 5 == 0;
  if (random() % 6 == 0) o.oco_group = "g" + std::to_string(random() % 2);
  o.decided = decided(offset, begin_micros + offset * second, random() % 2 == 0 ? "100" : "0",
                      random() % 2 == 0 ? "99.9" : "0", random() % 2 == 0 ? "100.1" : "0");
  return o;
}

paper_options random_options(std::mt19937& random) {
  paper_options options;
  options.taker_fee_bps = dec("10");
  options.maker_fee_bps = dec("-1");
  options.slippage_bps = random() % 2 == 0 ? dec("0") : dec("3.3");
  options.latency_micros = random() % 3 == 0 ? 3 * second : 0;
  options.displayed_size = random() % 2 == 0;
  options.queue_position = random() % 2 == 0;
  return options;
}

/// What must hold of every report, whatever the rules in detail.
void check_fill(const fill& f, const venue_order& o, const market::market_event& e,
                const paper_options& options) {
  CHECK(f.quantity.raw() > 0);
  CHECK(e.offset > o.decided.offset);
  if (options.latency_micros > 0)
    CHECK(to_micros(f.time) > to_micros(o.decided.time) + options.latency_micros);
  if (o.limit.raw() != 0) CHECK((o.side == side::buy ? f.price <= o.limit : f.price >= o.limit));
  CHECK_FALSE((o.post_only && !f.maker));
}

}  // namespace

TEST_CASE(
    "any orders over any events: limits hold, nothing is overfilled, saving changes nothing") {
  std::size_t fills = 0;
  for (std::uint32_t seed = 1; seed <= 200; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    const auto options = random_options(random);
    const auto events = random_stream(random, 200);
    paper_book book("SPY", options), saved("SPY", options);
    std::map<std::string, venue_order> orders;
    std::map<std::string, wide> left;
    wide held = 0;
    int number = 0;
    for (std::size_t i = 0; i < events.events.size(); ++i) {
      const auto& e = events.events[i];
      paper_book::reports out, same;
      const auto* p = e.kind == market::event_kind::bar ? &events.bars[i] : nullptr;
      book.apply(e, p, out);
      saved.apply(e, p, same);
      for (const auto& r : out) {
        if (r.what != report_kind::filled) continue;
        ++fills;
        const auto& o = orders.at(r.order);
        check_fill(r.trade, o, e, options);
        left[r.order] -= r.trade.quantity.raw();
        CHECK(left[r.order] >= 0);
        const auto before = held;
        held += o.side == side::buy ? r.trade.quantity.raw() : -r.trade.quantity.raw();
        if (o.reduce_only) CHECK(before * (before > 0 ? 1 : -1) > held * (before > 0 ? 1 : -1));
        if (o.reduce_only) CHECK((held == 0 || (held > 0) == (before > 0)));
      }
      if (random() % 3 == 0) {
        const auto o = random_order(random, ++number, e.offset);
        orders[o.id] = o;
        left[o.id] = o.quantity.raw();
        book.take(o, out);
        saved.take(o, same);
      }
      CHECK(out == same);
      const auto text = saved.save();
      saved = paper_book::load(text);
      CHECK(saved.save() == text);
    }
    CHECK(book.holding("p1").raw() == held);
  }
  CHECK(fills > 3'000);
}

TEST_CASE("an order's fills do not depend on other orders, nor on when it came") {
  for (std::uint32_t seed = 1; seed <= 100; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    const auto options = random_options(random);
    const auto events = random_stream(random, 120);
    auto chosen = random_order(random, 1, 40);
    chosen.reduce_only = false;
    chosen.oco_group.clear();
    paper_book among("SPY", options), late("SPY", options);
    paper_book::reports many, one;
    for (int n = 2; n < 12; ++n) {
      auto other = random_order(random, n, 20 + n);
      other.oco_group.clear();
      among.take(other, many);
    }
    for (std::size_t i = 0; i < events.events.size(); ++i) {
      if (i == 40) among.take(chosen, many);
      among.apply(events.events[i], &events.bars[i], many);
    }
    // The events before the decision are read again: they must not count.
    late.take(chosen, one);
    for (std::size_t i = 0; i < events.events.size(); ++i)
      late.apply(events.events[i], &events.bars[i], one);
    std::erase_if(many, [](const order_report& r) { return r.order != "p1-1"; });
    CHECK(many == one);
  }
}

TEST_CASE("portfolio and paper venue keep the same books, whatever happens") {
  for (std::uint32_t seed = 1; seed <= 60; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    auto options = random_options(random);
    const auto events = random_stream(random, 300);
    desk d(dec("100000"), options);
    for (std::size_t i = 0; i < events.events.size(); ++i) {
      const auto& e = events.events[i];
      d.apply(e, e.kind == market::event_kind::bar ? &events.bars[i] : nullptr);
      if (random() % 4 == 0) {
        const auto number = d.held.facts().placed + 1;
        auto r = request(number, random() % 2 == 0 ? side::buy : side::sell, "1");
        const auto terms = random_order(random, 1, e.offset);
        r.type = terms.type;
        r.limit = terms.limit;
        r.stop = terms.stop;
        r.trail = terms.trail;
        r.decided = terms.decided;
        if (random() % 3 == 0) r.take_profit = dec(r.side == side::buy ? "100.4" : "99.6");
        if (random() % 3 == 0) r.stop_loss = dec(r.side == side::buy ? "99.6" : "100.4");
        if (random() % 6 == 0) r.oco_group = "g";
        auto v = approval(number, "1");
        v.quantity = terms.quantity;
        d.held.place(r, v, d);
        d.settle();
      }
    }
    d.held.cancel_all("", decided(1'000, begin_micros + 1'000 * second), d);
    d.settle();
    auto last = trade(2'000, "100");
    d.apply(last);
    money cash = to_money(dec("100000"));
    wide held = 0;
    for (const auto& f : d.fills) {
      const auto sign = f.side == side::buy ? 1 : -1;
      held += sign * f.quantity.raw();
      cash -=
          value_of(fixed::from_raw(sign * f.quantity.raw()), f.price, rounding::up) + f.fee.raw();
    }
    CHECK(d.held.cash() == cash);
    if (!d.held.positions().empty()) CHECK(d.held.positions()[0].quantity.raw() == held);
    CHECK(d.book.holding("p1").raw() == held);
    CHECK(d.book.orders().empty());
    CHECK(d.held.facts().open_orders == 0);
    CHECK(d.held.facts().reserved == 0);
    for (const auto why : d.refusals)
      CHECK((why == portfolio_refusal::none || why == portfolio_refusal::repeated));
  }
}

TEST_CASE("damaged states of a paper venue are refused by name") {
  auto book = queueing();
  const auto good = book.save();
  const auto broken = [&](std::string_view from, std::string_view to) {
    auto text = good;
    const auto at = text.find(from);
    REQUIRE(at != std::string::npos);
    return text.replace(at, from.size(), to);
  };
  CHECK_THROWS_AS(paper_book::load("null"), bad_state);
  CHECK_THROWS_WITH_AS(paper_book::load(broken(R"("filled":"0")", R"("filled":"5")")),
                       doctest::Contains("does not hold together"), bad_state);
  CHECK_THROWS_WITH_AS(paper_book::load(broken(R"("latency_micros":0)", R"("latency_micros":-1)")),
                       doctest::Contains("options.latency_micros = -1"), bad_state);
}
