#include "actors/trading/paper_venue.hpp"

#include <doctest/doctest.h>

#include "runtime/entity/entity.hpp"

using namespace troupe;
using namespace troupe::trading;

namespace {

constexpr std::int64_t begin_micros = 1'700'000'000'000'000;

fixed whole(std::int64_t n) {
  return fixed::from_raw(n * fixed::scale);
}

/// Trades at offsets 0, 1, 2 ..., at these prices.
market::market_batch log_of(const std::vector<std::int64_t>& prices) {
  std::vector<market::market_event> events;
  for (const auto price : prices) {
    market::market_event e;
    e.offset = static_cast<std::int64_t>(events.size());
    e.time = begin_micros + e.offset * 1'000'000;
    e.price = whole(price);
    e.size = whole(5);
    events.push_back(e);
  }
  return {events, {}};
}

venue_order buy_at(std::string id, std::int64_t limit, std::int64_t decided) {
  venue_order o;
  o.id = std::move(id);
  o.portfolio = portfolio_of(o.id);
  o.symbol = "SPY";
  o.type = order_type::limit;
  o.limit = whole(limit);
  o.quantity = whole(1);
  o.decided = {decided, from_micros(begin_micros + decided * 1'000'000), whole(100), {}, {}};
  return o;
}

effects_question ask(std::string portfolio, std::int64_t number, std::int64_t offset) {
  return {std::move(portfolio), "s1", "SPY", number, offset};
}

/// A venue that is saved and loaded between any two inputs, and what it said: `filled p1-1`,
/// `known p1 #2 7`.
class desk {
 public:
  void take(const venue_order& o) {
    venue_.take(o, out_);
    revive();
  }
  void cancel(const std::string& id, std::int64_t decided) {
    venue_.cancel({id, {decided, {}, {}, {}, {}}}, out_);
    revive();
  }
  void ask(const effects_question& q) {
    venue_.await(q, out_);
    revive();
  }
  /// Offers the log from where the venue wants it; returns the offset where it stopped.
  std::size_t feed(const market::market_batch& log) {
    auto done = static_cast<std::size_t>(venue_.next().value());
    venue_.absorb(log, done, log.size(), out_);
    if (done == log.size()) venue_.passed(static_cast<std::int64_t>(log.size()));
    revive();
    return done;
  }
  std::optional<std::int64_t> next() const { return venue_.next(); }
  std::vector<std::string> said() {
    std::vector<std::string> all;
    for (const auto& r : out_.reports)
      if (r.what != report_kind::acknowledged)
        all.push_back(std::string(name_of(r.what)) + ' ' + r.order);
    for (const auto& a : out_.answers)
      all.push_back("known " + a.portfolio + " #" + std::to_string(a.ask) + ' ' +
                    std::to_string(a.known));
    out_ = {};
    return all;
  }

 private:
  void revive() {
    paper_venue again("SPY", {});
    again.load(venue_.save());
    venue_ = std::move(again);
  }
  paper_venue venue_{"SPY", {}};
  paper_venue::output out_;
};

using words = std::vector<std::string>;

}  // namespace

TEST_CASE("orders meet the log no further than was asked for; answers look ahead") {
  const auto log = log_of({100, 100, 101, 102, 99, 95, 100});
  desk d;
  d.take(buy_at("p1-1", 98, 0));
  CHECK(!d.next());  // Nobody has asked yet.
  d.ask(ask("p1", 1, 1));
  CHECK(d.next() == 1);
  CHECK(d.feed(log) == 2);
  CHECK(d.said() == words{"known p1 #1 4"});  // The fill is at 5.
  CHECK(!d.next());
  d.ask(ask("p1", 2, 5));
  CHECK(d.feed(log) == 6);
  CHECK(d.said() == words{"filled p1-1", "known p1 #2 5"});
  d.ask(ask("p1", 3, 6));  // Nothing open: at once.
  CHECK(d.said() == words{"known p1 #3 6"});
}

TEST_CASE("a cancel that was decided before the fill comes before it") {
  const auto log = log_of({100, 100, 101, 102, 99, 95, 100});
  desk d;
  d.take(buy_at("p1-1", 98, 0));
  d.ask(ask("p1", 1, 1));
  d.feed(log);
  d.said();
  d.cancel("p1-1", 4);  // The session went on to 4, as it was told, and decided there.
  CHECK(d.said() == words{"canceled p1-1"});
  d.ask(ask("p1", 2, 5));
  CHECK(d.said() == words{"known p1 #2 5"});
}

TEST_CASE("portfolios go at their own pace; a late order meets the log from its decision on") {
  const auto log = log_of({100, 100, 95, 102, 99, 95, 100});
  desk d;
  d.take(buy_at("p1-1", 50, 0));
  d.ask(ask("p1", 1, 6));
  CHECK(d.feed(log) == 7);
  CHECK(d.said() == words{"known p1 #1 6"});
  d.take(buy_at("p2-1", 97, 1));
  d.ask(ask("p2", 1, 2));
  CHECK(d.next() == 2);
  d.feed(log);
  CHECK(d.said() == words{"filled p2-1", "known p2 #1 2"});
  d.take(buy_at("p1-2", 97, 1));  // Behind p1-1, which is at 6.
  CHECK(d.next() == 2);
  d.feed(log);
  CHECK(d.said() == words{"filled p1-2"});
}

TEST_CASE("who asks no more lets his orders meet the log as it comes, until they have ended") {
  const auto log = log_of({100, 100, 101, 102, 99, 95, 100});
  desk d;
  d.take(buy_at("p1-1", 98, 0));
  d.ask(ask("p1", 1, paper_venue::no_limit));
  CHECK(d.said().empty());
  d.feed(log);
  CHECK(d.said() == words{"filled p1-1"});
  d.take(buy_at("p1-2", 98, 0));
  CHECK(!d.next());  // The next one asks again.
}

TEST_CASE("states of another symbol or form are refused") {
  paper_venue venue("SPY", {});
  for (const auto* text : {"", "{}", R"({"symbol":"IBM","accounts":{}})",
                           R"({"symbol":"SPY","accounts":{"p1":{"sessions":{},"groups":[]}}})"})
    CHECK_THROWS_AS(venue.load(text), bad_state);
}
