#include <doctest/doctest.h>

#include "runtime/entity/entity.hpp"
#include "trading_support.hpp"

using namespace troupe;
using namespace troupe::trading;
using namespace troupe::trading::test;

namespace {

/// Orders decided on the event at offset 0, and what the venue says of them.
class venue {
 public:
  explicit venue(paper_options options = {}) : book("SPY", options) {}

  venue_order& order(std::string id, side s, std::string_view quantity,
                     order_type type = order_type::market) {
    o = {};
    o.id = "p1-" + id;
    o.portfolio = "p1";
    o.symbol = "SPY";
    o.side = s;
    o.type = type;
    o.quantity = dec(quantity);
    o.decided = decided(0, begin_micros);
    return o;
  }
  venue_order& limit(std::string id, side s, std::string_view quantity, std::string_view price) {
    order(std::move(id), s, quantity, order_type::limit).limit = dec(price);
    return o;
  }
  venue_order& stop(std::string id, side s, std::string_view quantity, std::string_view price) {
    order(std::move(id), s, quantity, order_type::stop).stop = dec(price);
    return o;
  }
  /// Sends the order that was described last; its acknowledgement is not told.
  void send(time_point now = time_point::max()) {
    book.take(o, out, now);
    REQUIRE(!out.empty());
    if (out.back().what == report_kind::acknowledged) out.pop_back();
  }
  strings on(const market::market_event& e) {
    book.apply(e, nullptr, out);
    return said();
  }
  strings on_bar(std::int64_t offset, const market::ohlcv& p) {
    book.apply(bar(offset), &p, out);
    return said();
  }
  strings said() {
    auto all = texts(out);
    out.clear();
    return all;
  }
  /// Gives the portfolio a position of 10.
  void hold_ten() {
    order("0", side::buy, "10");
    o.decided.offset = -1;
    o.decided.time = from_micros(begin_micros - second);
    send();
    auto e = trade(0, "100");
    REQUIRE(on(e).size() == 1);
  }

  paper_book book;
  paper_book::reports out;
  venue_order o;
};

}  // namespace

TEST_CASE("market orders fill on the next event, never on the one decided on or before it") {
  venue v;
  v.order("1", side::buy, "5");
  v.o.decided.offset = 7;
  v.send();
  CHECK(v.on(trade(6, "99")) == strings{});
  CHECK(v.on(trade(7, "100")) == strings{});
  CHECK(v.on(trade(8, "101")) == strings{"filled 1 5@101 taker"});
  CHECK(v.on(trade(9, "102")) == strings{});
}

TEST_CASE("without an offset only later events count") {
  venue v;
  v.order("1", side::buy, "5");
  v.o.decided = decided(-1, begin_micros + 7 * second);
  v.send();
  CHECK(v.on(trade(7, "100")) == strings{});
  CHECK(v.on(trade(8, "101")) == strings{"filled 1 5@101 taker"});
}

TEST_CASE("what is older than the decision by its own time fills nothing, however late it comes") {
  venue v;
  v.order("1", side::buy, "5");
  v.send();
  auto late = trade(1, "90");
  late.time = begin_micros - 1;
  CHECK(v.on(late) == strings{});
  auto same_moment = trade(2, "91");
  same_moment.time = begin_micros;
  CHECK(v.on(same_moment) == strings{"filled 1 5@91 taker"});
}

TEST_CASE("with a latency only events later than decision and latency count") {
  paper_options options;
  options.latency_micros = 2 * second;
  venue v(options);
  v.order("1", side::buy, "5");
  v.send();
  CHECK(v.on(trade(1, "100")) == strings{});
  CHECK(v.on(trade(2, "101")) == strings{});
  CHECK(v.on(trade(3, "102")) == strings{"filled 1 5@102 taker"});
}

TEST_CASE("market orders take the quote's other side where there are quotes, else trade or open") {
  venue v;
  v.order("1", side::buy, "5");
  v.o.decided = decided(0, begin_micros, "100", "99", "101");
  v.send();
  CHECK(v.on(trade(1, "100")) == strings{});
  auto one_side = quote(2, "99", "0");
  one_side.flags = market::market_event::has_bid;
  CHECK(v.on(one_side) == strings{});
  CHECK(v.on(quote(3, "99.5", "0", "10", "0")) == strings{});
  CHECK(v.on(quote(4, "99.5", "101.5")) == strings{"filled 1 5@101.5 taker"});
  v.order("2", side::sell, "5");
  v.send();
  CHECK(v.on(quote(5, "99", "101")) == strings{"filled 2 5@99 taker"});
  v.order("3", side::sell, "5");
  v.send();
  CHECK(v.on_bar(6, prices("98", "103", "97", "100")) == strings{"filled 3 5@98 taker"});
}

TEST_CASE("a bar that opened before the decision, or before what the order has met, never counts") {
  const auto minute = [](std::int64_t offset, std::int64_t opens) {
    auto e = bar(offset);
    e.length = market::period::m1;
    e.time = begin_micros + opens * second;
    return e;
  };
  const auto p = prices("98", "103", "97", "100");
  venue v;
  const auto on_minute = [&](std::int64_t offset, std::int64_t opens) {
    v.book = paper_book::load(v.book.save());
    v.book.apply(minute(offset, opens), &p, v.out);
    return v.said();
  };
  v.order("1", side::buy, "5");
  v.o.decided = decided(10, begin_micros + 10 * second);
  v.send();
  CHECK(on_minute(11, 0) == strings{});
  CHECK(on_minute(12, 60) == strings{"filled 1 5@98 taker"});
  // Its stop has risen since the bar opened: the bar's open is of before.
  v.order("2", side::sell, "5", order_type::trailing_stop).trail = dec("5");
  v.o.decided = decided(12, begin_micros + 130 * second);
  v.send();
  CHECK(v.on(trade(140, "110")) == strings{});
  v.order("3", side::sell, "5");  // This one has met nothing yet.
  v.o.decided = decided(140, begin_micros + 130 * second);
  v.send();
  CHECK(on_minute(141, 130) == strings{"filled 3 5@98 taker"});
  CHECK(on_minute(142, 140) == strings{});
  CHECK(on_minute(143, 200) == strings{"filled 2 5@98 taker"});
}

TEST_CASE("forming bars and tickers never fill") {
  venue v;
  v.order("1", side::buy, "5");
  v.send();
  auto forming = bar(1);
  forming.flags = market::market_event::forming;
  const auto p = prices("98", "103", "97", "100");
  v.book.apply(forming, &p, v.out);
  auto ticker = bar(2);
  ticker.kind = market::event_kind::ticker;
  v.book.apply(ticker, &p, v.out);
  CHECK(v.said() == strings{});
}

TEST_CASE("limit orders: takers when the first event can fill them, makers at their limit later") {
  venue v;
  v.limit("1", side::buy, "5", "100");
  v.send();
  CHECK(v.on(trade(1, "99")) == strings{"filled 1 5@99 taker"});

  v.limit("2", side::buy, "5", "100");
  v.send();
  CHECK(v.on(trade(2, "100.01")) == strings{});
  CHECK(v.on(trade(3, "99")) == strings{"filled 2 5@100 maker"});

  v.limit("3", side::sell, "5", "100");
  v.send();
  CHECK(v.on(quote(4, "99", "101")) == strings{});
  CHECK(v.on(quote(5, "99.99", "100")) == strings{});
  CHECK(v.on(quote(6, "100", "100.01")) == strings{"filled 3 5@100 maker"});

  v.limit("4", side::sell, "5", "100");
  v.send();
  CHECK(v.on(quote(7, "100.5", "101")) == strings{"filled 4 5@100.5 taker"});
}

TEST_CASE("limit orders in bars: the open first, then the range") {
  venue v;
  const auto send = [&](std::string id, side s) {
    v.limit(std::move(id), s, "5", "100");
    v.send();
  };
  send("1", side::buy);
  CHECK(v.on_bar(1, prices("99", "101", "98", "100")) == strings{"filled 1 5@99 taker"});
  send("2", side::buy);
  CHECK(v.on_bar(2, prices("102", "103", "100.01", "101")) == strings{});
  CHECK(v.on_bar(3, prices("102", "103", "100", "101")) == strings{"filled 2 5@100 maker"});
  send("3", side::buy);
  CHECK(v.on_bar(4, prices("102", "103", "101", "101")) == strings{});
  CHECK(v.on_bar(5, prices("97", "103", "96", "101")) == strings{"filled 3 5@97 maker"});
  send("4", side::sell);
  CHECK(v.on_bar(6, prices("98", "100", "97", "99")) == strings{"filled 4 5@100 maker"});
}

TEST_CASE("stops: at the price that reaches them, in bars at the stop or a worse open") {
  venue v;
  const auto send = [&](std::string id, side s, std::string_view price) {
    v.stop(std::move(id), s, "5", price);
    v.send();
  };
  send("1", side::sell, "95");
  CHECK(v.on(trade(1, "95.01")) == strings{});
  CHECK(v.on(trade(2, "94")) == strings{"filled 1 5@94 taker"});
  send("2", side::sell, "95");
  CHECK(v.on(quote(3, "95.01", "95.5")) == strings{});
  CHECK(v.on(quote(4, "95", "95.5")) == strings{"filled 2 5@95 taker"});
  send("3", side::buy, "105");
  CHECK(v.on(quote(5, "104.9", "104.99")) == strings{});
  CHECK(v.on(quote(6, "104.9", "105.1")) == strings{"filled 3 5@105.1 taker"});
  send("4", side::sell, "95");
  CHECK(v.on_bar(7, prices("100", "101", "95.01", "96")) == strings{});
  CHECK(v.on_bar(8, prices("100", "101", "90", "96")) == strings{"filled 4 5@95 taker"});
  send("5", side::sell, "95");
  CHECK(v.on_bar(9, prices("93", "101", "90", "96")) == strings{"filled 5 5@93 taker"});
  send("6", side::buy, "105");
  CHECK(v.on_bar(10, prices("100", "105", "90", "96")) == strings{"filled 6 5@105 taker"});
}

TEST_CASE("of a stop and a limit in the same bar the stop counts, and ends its group") {
  venue v;
  v.hold_ten();
  v.limit("1", side::sell, "10", "110");
  v.o.reduce_only = true;
  v.o.oco_group = "g";
  v.send();
  v.stop("2", side::sell, "10", "90");
  v.o.reduce_only = true;
  v.o.oco_group = "g";
  v.send();
  CHECK(v.on_bar(1, prices("100", "120", "80", "100")) ==
        strings{"filled 2 10@90 taker", "canceled 1 group"});
}

TEST_CASE("a bar's open counts before its range: a limit beyond it before the stop") {
  venue v;
  v.hold_ten();
  v.limit("1", side::sell, "10", "110");
  v.o.oco_group = "g";
  v.send();
  v.stop("2", side::sell, "10", "90");
  v.o.oco_group = "g";
  v.send();
  CHECK(v.on_bar(1, prices("115", "120", "80", "100")) ==
        strings{"filled 1 10@115 taker", "canceled 2 group"});
}

TEST_CASE("stop-limits become limit orders when the stop is reached") {
  venue v;
  const auto send = [&](std::string id, std::string_view stop, std::string_view limit) {
    v.order(std::move(id), side::buy, "5", order_type::stop_limit);
    v.o.stop = dec(stop);
    v.o.limit = dec(limit);
    v.send();
  };
  send("1", "105", "106");
  CHECK(v.on(trade(1, "104")) == strings{});
  CHECK(v.on(trade(2, "105.5")) == strings{"filled 1 5@105.5 taker"});
  send("2", "105", "106");
  CHECK(v.on(trade(3, "107")) == strings{});
  CHECK(v.on(trade(4, "106.01")) == strings{});
  CHECK(v.on(trade(5, "105")) == strings{"filled 2 5@106 maker"});
  send("3", "105", "106");
  CHECK(v.on_bar(6, prices("100", "110", "99", "101")) == strings{"filled 3 5@105 taker"});
  // Gapped over, then in range: only from the next bar on.
  send("4", "105", "106");
  CHECK(v.on_bar(7, prices("108", "110", "99", "101")) == strings{});
  CHECK(v.on_bar(8, prices("107", "110", "106", "108")) == strings{"filled 4 5@106 maker"});
}

TEST_CASE("trailing stops follow the best price") {
  venue v;
  const auto send = [&](std::string id, side s) {
    v.order(std::move(id), s, "5", order_type::trailing_stop).trail = dec("5");
    v.send();
  };
  send("1", side::sell);  // From decided.last = 100: stop at 95.
  CHECK(v.on(trade(1, "95.01")) == strings{});
  CHECK(v.on(trade(2, "110")) == strings{});
  CHECK(v.on(trade(3, "105.01")) == strings{});
  CHECK(v.on(trade(4, "105")) == strings{"filled 1 5@105 taker"});
  send("2", side::buy);
  CHECK(v.on(quote(5, "89", "90")) == strings{});
  CHECK(v.on(quote(6, "94", "95")) == strings{"filled 2 5@95 taker"});
  // In a bar the low is held against the stop as it was before the high.
  send("3", side::sell);
  CHECK(v.on_bar(7, prices("100", "120", "96", "118")) == strings{});
  CHECK(v.on_bar(8, prices("118", "119", "115", "116")) == strings{"filled 3 5@115 taker"});
}

TEST_CASE(
    "slippage and fees are against the taker, makers have their own, rounding is the venue's") {
  paper_options options;
  options.slippage_bps = dec("10");
  options.taker_fee_bps = dec("7.5");
  options.maker_fee_bps = dec("-2");
  venue v(options);
  v.order("1", side::buy, "3");
  v.send();
  CHECK(v.on(trade(1, "100")) == strings{"filled 1 3@100.1 taker fee=0.225225"});
  v.order("2", side::sell, "3");
  v.send();
  CHECK(v.on(trade(2, "33.33333333")) == strings{"filled 2 3@33.29999999 taker fee=0.074925"});
  v.limit("3", side::buy, "3", "100.05");
  v.send();
  CHECK(v.on(trade(3, "100")) == strings{"filled 3 3@100.05 taker fee=0.2251125"});
  v.limit("4", side::buy, "3", "0.00000333");
  v.send();
  CHECK(v.on(trade(4, "100")) == strings{});
  CHECK(v.on(trade(5, "0.000001")) == strings{"filled 4 3@0.00000333 maker"});
  v.limit("5", side::buy, "3", "33.33333333");
  v.send();
  v.on(trade(6, "100"));
  CHECK(v.on(trade(7, "30")) == strings{"filled 5 3@33.33333333 maker fee=-0.01999999"});
}

TEST_CASE("displayed size limits what an event fills") {
  paper_options options;
  options.displayed_size = true;
  venue v(options);
  v.order("1", side::buy, "10");
  v.send();
  CHECK(v.on(quote(1, "99", "100", "1", "4")) == strings{"filled 1 4@100 taker"});
  CHECK(v.on(quote(2, "99", "101", "1", "0")) == strings{"filled 1 6@101 taker"});
  v.limit("2", side::sell, "10", "100");
  v.send();
  CHECK(v.on(trade(3, "99")) == strings{});
  CHECK(v.on(trade(4, "100", "3")) == strings{"filled 2 3@100 maker"});
  CHECK(v.on(trade(5, "105", "3")) == strings{"filled 2 3@100 maker"});
  CHECK(v.on(quote(6, "100", "101", "3", "1")) == strings{"filled 2 3@100 maker"});
  CHECK(v.on_bar(7, prices("99", "100", "98", "99")) == strings{"filled 2 1@100 maker"});
}

TEST_CASE("immediate orders: the first event, then no more") {
  paper_options options;
  options.displayed_size = true;
  venue v(options);
  const auto send = [&](std::string id, time_in_force f, std::string_view price) {
    v.limit(std::move(id), side::buy, "10", price).in_force = f;
    v.send();
  };
  send("1", time_in_force::ioc, "100");
  CHECK(v.on(quote(1, "99", "100", "1", "4")) ==
        strings{"filled 1 4@100 taker", "canceled 1 not_whole"});
  send("2", time_in_force::fok, "100");
  CHECK(v.on(quote(2, "99", "100", "1", "9")) == strings{"canceled 2 not_whole"});
  send("3", time_in_force::fok, "100");
  CHECK(v.on(quote(3, "99", "100", "1", "10")) == strings{"filled 3 10@100 taker"});
  send("4", time_in_force::ioc, "100");
  CHECK(v.on(quote(4, "99", "101")) == strings{"canceled 4 nothing_to_fill"});
  send("5", time_in_force::ioc, "100");
  CHECK(v.on(quote(5, "99", "0", "1", "0")) == strings{"canceled 5 nothing_to_fill"});
  v.order("6", side::buy, "10").in_force = time_in_force::fok;
  v.send();
  CHECK(v.on(trade(6, "100", "9")) == strings{"canceled 6 not_whole"});
}

TEST_CASE("post-only orders never take") {
  venue v;
  v.limit("1", side::buy, "5", "100").post_only = true;
  v.send();
  CHECK(v.on(quote(1, "99", "100")) == strings{"canceled 1 post_only"});
  v.limit("2", side::buy, "5", "100").post_only = true;
  v.send();
  CHECK(v.on(quote(2, "99", "101")) == strings{});
  CHECK(v.on(quote(3, "99", "100")) == strings{"filled 2 5@100 maker"});
}

TEST_CASE("reduce-only orders close at most what the portfolio holds here") {
  venue v;
  v.hold_ten();
  v.order("1", side::sell, "15").reduce_only = true;
  v.send();
  CHECK(v.on(trade(1, "100")) == strings{"filled 1 10@100 taker", "canceled 1 reduce_only"});
  CHECK(v.book.holding("p1") == dec("0"));
  v.order("2", side::sell, "1").reduce_only = true;
  v.send();
  CHECK(v.on(trade(2, "100")) == strings{"canceled 2 reduce_only"});
  v.hold_ten();
  v.order("3", side::buy, "1").reduce_only = true;
  v.send();
  CHECK(v.on(trade(3, "100")) == strings{"canceled 3 reduce_only"});
}

TEST_CASE("orders expire before an event at or after their end fills them") {
  venue v;
  v.limit("1", side::buy, "5", "90").in_force = time_in_force::gtd;
  v.o.good_till = from_micros(begin_micros + 3 * second);
  v.send();
  CHECK(v.on(trade(2, "100")) == strings{});
  CHECK(v.on(trade(3, "80")) == strings{"expired 1"});
  v.limit("2", side::buy, "5", "90").in_force = time_in_force::day;
  v.send();
  CHECK(v.on(trade(6'399, "100")) == strings{});
  CHECK(v.on(trade(6'400, "80")) == strings{"expired 2"});
}

TEST_CASE("in a silent market the clock ends orders, as late as the log is behind it") {
  const auto at = [](std::int64_t seconds) { return from_micros(begin_micros + seconds * second); };
  venue v;
  v.limit("1", side::buy, "5", "90").in_force = time_in_force::day;
  v.send(at(2));
  CHECK(v.book.clock_end() == to_micros(at(6'402)));
  v.limit("2", side::buy, "5", "90").in_force = time_in_force::gtd;
  v.o.good_till = at(3);
  v.send(at(3));  // Of a replay.
  v.limit("3", side::buy, "5", "90");
  v.send(at(0));
  v.limit("4", side::buy, "5", "90").in_force = time_in_force::day;
  v.send();  // There is no clock.
  v.book = paper_book::load(v.book.save());
  v.book.advance(at(6'401), v.out);
  CHECK(v.said() == strings{});
  v.book.advance(at(6'402), v.out);
  REQUIRE(v.out.size() == 1);
  CHECK(v.out[0].time == at(6'400));
  CHECK(v.said() == strings{"expired 1"});
  CHECK(v.book.clock_end() == paper_order::never);
  v.book.advance(at(100'000), v.out);
  CHECK(v.said() == strings{});
}

TEST_CASE("cancels: at once, or after the latency; too late they are refused") {
  venue v;
  v.limit("1", side::buy, "5", "90");
  v.send();
  v.book.cancel("p1-1", decided(3, begin_micros + 3 * second), v.out);
  CHECK(v.said() == strings{"canceled 1"});
  v.book.cancel("p1-1", {}, v.out);
  CHECK(v.said() == strings{"cancel_refused 1 unknown_order"});

  paper_options options;
  options.latency_micros = second;
  venue slow(options);
  slow.limit("1", side::buy, "5", "90");
  slow.send();
  slow.limit("2", side::buy, "5", "80");
  slow.send();
  CHECK(slow.on(trade(2, "100")) == strings{});
  slow.book.cancel("p1-1", decided(2, begin_micros + 2 * second), slow.out);
  slow.book.cancel("p1-2", decided(2, begin_micros + 2 * second), slow.out);
  CHECK(slow.on(trade(3, "85")) == strings{"filled 1 5@90 maker"});
  CHECK(slow.on(trade(4, "70")) == strings{"canceled 2"});
  slow.limit("3", side::buy, "5", "60");
  slow.send();
  slow.book.cancel("p1-3", decided(-1, begin_micros + 9 * second), slow.out);  // By hand.
  REQUIRE(slow.out.size() == 1);
  CHECK(slow.out[0].time == from_micros(begin_micros + 9 * second));
  CHECK(slow.said() == strings{"canceled 3"});
}

TEST_CASE("orders that the venue does not take") {
  venue v;
  v.limit("1", side::buy, "5", "90");
  v.send();
  v.send();
  v.order("2", side::buy, "0");
  v.send();
  v.limit("3", side::buy, "5", "0");
  v.send();
  v.stop("4", side::buy, "5", "0");
  v.send();
  v.order("5", side::buy, "5").symbol = "IBM";
  v.send();
  CHECK(v.said() == strings{"rejected 1 duplicate_order", "rejected 2 not_positive",
                            "rejected 3 not_positive", "rejected 4 not_positive",
                            "rejected 5 wrong_symbol"});
}

TEST_CASE("a changed quantity counts from the order's beginning") {
  paper_options options;
  options.displayed_size = true;
  venue v(options);
  v.limit("1", side::buy, "10", "100");
  v.send();
  v.on(trade(1, "101"));
  CHECK(v.on(trade(2, "100", "4")) == strings{"filled 1 4@100 maker"});
  v.book.change_quantity("p1-1", dec("6"), {}, v.out);
  CHECK(v.on(trade(3, "100", "4")) == strings{"filled 1 2@100 maker"});
  v.limit("2", side::buy, "10", "100");
  v.send();
  v.on(trade(4, "101"));
  CHECK(v.on(trade(5, "100", "4")) == strings{"filled 2 4@100 maker"});
  v.book.change_quantity("p1-2", dec("3"), {}, v.out);
  v.book.change_quantity("p1-2", dec("9"), {}, v.out);
  CHECK(v.said() == strings{"canceled 2 nothing_left", "change_refused 2 unknown_order"});
}

TEST_CASE("fill ids name the order and count") {
  paper_options options;
  options.displayed_size = true;
  venue v(options);
  v.order("7", side::buy, "10");
  v.send();
  v.book.apply(trade(1, "100", "4"), nullptr, v.out);
  v.book.apply(trade(2, "100", "40"), nullptr, v.out);
  REQUIRE(v.out.size() == 2);
  CHECK(v.out[0].trade.id == "p1-7.1");
  CHECK(v.out[1].trade.id == "p1-7.2");
  CHECK(v.out[1].trade.order == "p1-7");
  CHECK(v.out[1].trade.time == from_micros(begin_micros + 2 * second));
}
