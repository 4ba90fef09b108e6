#include "actors/trading/paper_venue.hpp"

#include <doctest/doctest.h>

#include "actors/trading/paper_venue_entity.hpp"
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
  o.paced_by = "s1";
  return o;
}

/// A market order that can only reduce.
venue_order reduce(std::string id, side s, std::int64_t quantity, std::int64_t decided) {
  auto o = buy_at(std::move(id), 0, decided);
  o.type = order_type::market;
  o.side = s;
  o.quantity = whole(quantity);
  o.reduce_only = true;
  return o;
}

venue_order paced_by(std::string session, venue_order o) {
  o.paced_by = std::move(session);
  return o;
}

effects_question ask(std::string portfolio, std::int64_t number, std::int64_t offset,
                     std::string session = "s1") {
  return {std::move(portfolio), std::move(session), "SPY", number, offset};
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
  /// The log loses what comes before an offset.
  void lose(std::int64_t next) {
    venue_.lost(next, out_);
    revive();
  }
  /// The venue learns where the log goes on.
  void tell_end(std::int64_t next) {
    venue_.passed(next);
    revive();
  }
  std::optional<std::int64_t> next() const { return venue_.next(); }
  std::vector<std::string> said() {
    std::vector<std::string> all;
    for (const auto& r : out_.reports)
      if (r.what != report_kind::acknowledged)
        all.push_back(std::string(name_of(r.what)) + ' ' + r.order +
                      (r.trade.quantity > whole(1) ? ' ' + to_string(r.trade.quantity) : ""));
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

TEST_CASE("sessions of one portfolio go at their own pace, each no further than it has asked for") {
  const auto log = log_of({100, 100, 95, 102, 99, 95, 100});
  desk d;
  d.take(paced_by("s1", buy_at("p1-1", 97, 0)));
  d.take(paced_by("s2", buy_at("p1-2", 97, 4)));
  d.ask(ask("p1", 1, 5, "s2"));
  CHECK(d.next() == 5);
  d.feed(log);
  CHECK(d.said() == words{"filled p1-2", "known p1 #1 5"});
  CHECK(!d.next());  // The one of s1 has not been asked for.
  d.take(paced_by("", buy_at("p1-3", 50, 4)));
  CHECK(d.next() == 5);
  d.feed(log);
  d.ask(ask("p1", 1, 1, "s1"));
  CHECK(d.next() == 1);
  CHECK(d.feed(log) == 7);  // p1-3 goes on with the log.
  CHECK(d.said() == words{"known p1 #1 1"});
  d.ask(ask("p1", 2, 2, "s1"));
  d.feed(log);
  CHECK(d.said() == words{"filled p1-1", "known p1 #2 2"});
}

TEST_CASE("however far apart orders are, they reduce one holding, and only once") {
  const auto log = log_of({100, 100, 95, 102, 99, 95, 100});
  desk d;
  auto entry = paced_by("s1", buy_at("p1-1", 200, 0));
  entry.quantity = whole(10);
  d.take(entry);
  d.ask(ask("p1", 1, 1));
  d.feed(log);
  CHECK(d.said() == words{"filled p1-1 10", "known p1 #1 1"});
  d.take(reduce("p1-2", side::sell, 6, 1));
  d.ask(ask("p1", 2, 2));
  d.feed(log);
  CHECK(d.said() == words{"filled p1-2 6", "known p1 #2 2"});
  // Decided before that, by another session, and again by one that goes with the log.
  d.take(paced_by("s2", reduce("p1-3", side::sell, 6, 0)));
  d.ask(ask("p1", 1, 1, "s2"));
  d.feed(log);
  CHECK(d.said() == words{"filled p1-3 4", "canceled p1-3", "known p1 #1 1"});
  d.take(paced_by("", reduce("p1-4", side::sell, 6, 0)));
  d.feed(log);
  CHECK(d.said() == words{"canceled p1-4"});
  d.take(reduce("p1-5", side::buy, 1, 2));
  d.ask(ask("p1", 3, 3));
  d.feed(log);
  CHECK(d.said() == words{"canceled p1-5", "known p1 #3 3"});
}

TEST_CASE(
    "an order that nobody paces meets the log as it comes, from its decision or from now on") {
  const auto log = log_of({100, 100, 95, 102, 99, 95, 100});
  desk d;
  d.take(paced_by("", buy_at("p1-1", 98, 0)));
  CHECK(d.next() == 1);
  d.feed(log);
  CHECK(d.said() == words{"filled p1-1"});

  auto by_hand = paced_by("", buy_at("p1-2", 98, 0));
  by_hand.decided.offset = -1;
  d.take(by_hand);
  CHECK(d.next() == paper_venue::from_now);
  d.take(buy_at("p1-3", 98, 1));
  d.ask(ask("p1", 1, 2));
  CHECK(d.next() == paper_venue::from_now);  // Told at once: that comes first.
  d.tell_end(4);
  CHECK(d.next() == 2);  // The other one stands where it stood.
  d.feed(log);
  CHECK(d.said() == words{"filled p1-3", "filled p1-2", "known p1 #1 2"});
  CHECK(!d.next());
}

TEST_CASE("a late order meets the log from its decision on; for the others nothing happens twice") {
  const auto log = log_of({100, 100, 93, 102, 99, 97, 100});
  desk d;
  auto stays = paced_by("", buy_at("p1-1", 94, 0));
  stays.type = order_type::trailing_stop;
  stays.limit = {};
  stays.side = side::sell;
  stays.trail = whole(8);
  d.take(stays);  // Its stop is 94 by the 102 at 3.
  d.feed(log);
  d.take(paced_by("", buy_at("p1-2", 96, 1)));
  CHECK(d.next() == 2);
  d.feed(log);
  CHECK(d.said() == words{"filled p1-2"});
}

TEST_CASE("what the log has lost comes to nothing, and is no reason to wait") {
  desk d;
  d.take(buy_at("p1-1", 98, 0));
  d.take(paced_by("", buy_at("p1-2", 50, 0)));
  d.ask(ask("p1", 1, 3));
  CHECK(d.next() == 1);
  d.lose(1000);
  CHECK(d.said() == words{"known p1 #1 3"});
  CHECK(d.next() == 1000);  // Of p1-2; nobody has asked p1-1 for more.
  d.cancel("p1-2", 0);
  CHECK(!d.next());
}

namespace {

time_point at(std::int64_t seconds) {
  return from_micros(begin_micros + seconds * 1'000'000);
}

/// Decided at `decided`, good for ten seconds, and taken half a second after its decision.
void take_for_ten_seconds(paper_venue& venue, const std::string& id, std::int64_t decided,
                          paper_venue::output& out) {
  auto o = buy_at(id, 50, decided);
  o.in_force = time_in_force::gtd;
  o.good_till = at(decided + 10);
  venue.take(o, out, at(decided) + std::chrono::milliseconds(500));
}

words said(paper_venue::output& out) {
  words all;
  for (const auto& r : out.reports)
    if (r.what != report_kind::acknowledged)
      all.push_back(std::string(name_of(r.what)) + ' ' + r.order);
  out = {};
  return all;
}

}  // namespace

TEST_CASE("the clock ends an order once the log has been silent and all of it is known") {
  const auto log = log_of({100, 100, 100});
  const auto late = at(60);
  paper_venue venue("SPY", {});
  paper_venue::output out;
  take_for_ten_seconds(venue, "p1-1", 0, out);
  CHECK(venue.clock_end() == at(10) + std::chrono::milliseconds(500));
  CHECK(!venue.next());
  venue.end_overdue(late, out);
  CHECK(venue.next() == 1);  // It listens to what no session has asked for yet.
  std::size_t done = 1;
  venue.absorb(log, done, 2, out);
  CHECK(done == 2);
  for (int i = 0; i < 3; ++i) venue.end_overdue(late, out);
  CHECK(said(out).empty());  // The session has not come to offset 1: it waits for that.

  venue.await(ask("p1", 1, 1), out);
  CHECK(venue.next() == 1);
  done = 1;
  venue.absorb(log, done, 2, out);
  CHECK(out.answers.size() == 1);
  paper_venue again("SPY", {});  // Another owner.
  again.load(venue.save());
  again.end_overdue(late, out);
  CHECK(said(out).empty());  // It has not listened yet.
  again.end_overdue(at(2), out);
  CHECK(said(out).empty());  // By its own clock the end is ahead.
  again.end_overdue(late, out);
  again.end_overdue(late, out);
  CHECK(said(out) == words{"expired p1-1"});
  CHECK(!again.clock_end());
  again.end_overdue(late, out);
  again.end_overdue(late, out);
  CHECK(said(out).empty());
}

TEST_CASE("the clock waits while the log speaks, and counts what a session was told as known") {
  const auto log = log_of({100, 100, 100, 100, 100});
  const auto late = at(60);
  paper_venue venue("SPY", {});
  paper_venue::output out;
  take_for_ten_seconds(venue, "p1-1", 0, out);
  venue.await(ask("p1", 1, 1), out);
  std::size_t done = 1;
  venue.absorb(log, done, 2, out);
  venue.end_overdue(late, out);
  done = 2;
  venue.absorb(log, done, 2, out);
  venue.end_overdue(late, out);
  CHECK(said(out) == words{"expired p1-1"});

  take_for_ten_seconds(venue, "p1-2", 1, out);
  venue.await(ask("p1", 2, 2), out);
  done = 2;
  venue.absorb(log, done, 4, out);
  REQUIRE(out.answers.back().known == 3);  // Offset 3 was looked at, not met.
  std::vector<market::market_event> ticker(log.events().begin(), log.events().end());
  ticker[3].offset = 4;
  ticker[3].kind = market::event_kind::ticker;
  venue.end_overdue(late, out);
  done = 3;
  venue.absorb({ticker, {}}, done, 4, out);  // Comes to nothing, and is no noise.
  venue.end_overdue(late, out);
  CHECK(said(out) == words{"expired p1-2"});

  take_for_ten_seconds(venue, "p1-3", 1, out);
  venue.await(ask("p1", 3, paper_venue::no_limit), out);
  venue.end_overdue(late, out);
  done = 2;
  venue.absorb(log, done, 5, out);
  venue.end_overdue(late, out);
  CHECK(said(out).empty());
  venue.end_overdue(late, out);
  CHECK(said(out) == words{"expired p1-3"});
}

TEST_CASE("in a silent market the clock carries out a cancel that takes its time") {
  paper_options slow;
  slow.latency_micros = 700'000;
  paper_venue venue("SPY", slow);
  paper_venue::output out;
  venue.take(buy_at("p1-1", 98, 0), out, at(0));
  venue.await(ask("p1", 1, paper_venue::no_limit), out);
  venue.cancel({"p1-1", {0, at(0), {}, {}, {}}}, out, at(2));
  CHECK(said(out).empty());
  CHECK(venue.clock_end() == at(2) + std::chrono::milliseconds(700));
  paper_venue again("SPY", slow);
  again.load(venue.save());
  again.end_overdue(at(3), out);
  CHECK(said(out).empty());  // It has not listened yet.
  again.end_overdue(at(8), out);
  REQUIRE(out.reports.size() == 1);
  CHECK(out.reports[0].time == at(0) + std::chrono::milliseconds(700));
  CHECK(said(out) == words{"canceled p1-1"});
  venue.cancel({"p1-1", {-1, at(4), {}, {}, {}}}, out, at(4));  // By hand: at once.
  CHECK(said(out) == words{"canceled p1-1"});
}

TEST_CASE("a timer ends an order in a silent market, once") {
  auto kind = make_paper_venue_kind({});
  const entity_id id{"paper_venue", "SPY"};
  auto venue = kind.make(id);
  auto day = buy_at("p1-1", 98, 0);
  day.in_force = time_in_force::day;
  const auto midnight = from_micros(1'700'006'400'000'000);
  const auto handle = [&](const char* what, const nlohmann::json& body, time_point now) {
    effects out;
    venue->handle({what, body}, {id, now}, out);
    return out;
  };
  auto said = handle("new_order", json_of(day), at(0));
  REQUIRE(said.timers.size() == 1);
  CHECK(said.timers[0].due == midnight);
  CHECK(venue->follows().empty());
  auto again = kind.make(id);
  again->load(venue->save(), kind.schema);
  venue = std::move(again);
  const auto timer = said.timers[0].what;
  said = handle(timer.type.c_str(), timer.body, midnight);
  REQUIRE(said.timers.size() == 1);
  CHECK(said.timers[0].due == midnight + paper_venue::silence);
  CHECK(said.tells.empty());
  CHECK(venue->follows().size() == 1);
  said = handle(timer.type.c_str(), timer.body, midnight + paper_venue::silence);
  CHECK(said.timers.empty());
  REQUIRE(said.tells.size() == 1);
  CHECK(said.tells[0].what.body["reports"][0]["what"] == "expired");
  CHECK(said.tells[0].what.body["reports"][0]["time"] == to_micros(midnight));
  CHECK(venue->follows().empty());
  CHECK(handle(timer.type.c_str(), timer.body, midnight + 2 * paper_venue::silence).tells.empty());
}

TEST_CASE("an order that ends takes its timer with it; those of a replay have none") {
  auto kind = make_paper_venue_kind({});
  const entity_id id{"paper_venue", "SPY"};
  const auto venue = kind.make(id);
  const auto timers = [&](const char* what, const nlohmann::json& body, std::int64_t now) {
    effects out;
    venue->handle({what, body}, {id, at(now)}, out);
    return out.timers;
  };
  auto day = buy_at("p1-1", 98, 0);
  day.in_force = time_in_force::day;
  CHECK(timers("new_order", json_of(day), 86'400).empty());
  day.id = "p1-2";
  CHECK(timers("new_order", json_of(day), 0).size() == 1);
  day.id = "p1-3";
  CHECK(timers("new_order", json_of(day), 0).empty());
  CHECK(timers("cancel_order", json_of(venue_cancel{"p1-2", {}}), 1).empty());
  const auto gone = timers("cancel_order", json_of(venue_cancel{"p1-3", {}}), 1);
  REQUIRE(gone.size() == 1);
  CHECK(!gone[0].due);
}

TEST_CASE("states of another symbol or form are refused") {
  paper_venue venue("SPY", {});
  for (const auto* text :
       {"", "{}", R"({"symbol":"IBM","accounts":{}})",
        R"({"symbol":"SPY","accounts":{"p1":{"sessions":{},"groups":[]}}})",
        R"({"symbol":"SPY","accounts":{"p1":{"holding":"x","lanes":{}}}})",
        R"({"symbol":"SPY","accounts":{"p1":{"holding":"1","lanes":{"s1":{"book":{}}}}}})"})
    CHECK_THROWS_AS(venue.load(text), bad_state);
  CHECK_THROWS_AS(venue.load(R"({"symbol":"SPY","accounts":{"p1":{"groups":[]}}})", 1), bad_state);
  CHECK_THROWS_WITH_AS(venue.load(R"({"symbol":"SPY","accounts":{}})", 3),
                       "paper venue: schema 3 is not known", bad_state);
}

TEST_CASE("a state from before every session had a pace of its own goes on at the foremost's") {
  const auto log = log_of({100, 100, 95, 102, 99, 95, 100});
  const auto book = [](const venue_order& o, const char* holding) {
    paper_book made("SPY");
    paper_book::reports out;
    made.take(o, out);
    auto state = nlohmann::json::parse(made.save());
    state["holdings"]["p1"] = holding;
    return state;
  };
  auto behind = reduce("p1-2", side::sell, 5, 1);
  behind.paced_by.clear();
  const nlohmann::json old{
      {"symbol", "SPY"},
      {"accounts",
       {{"p1",
         {{"sessions",
           {{"s1", {{"awaited", 4}, {"ask", 7}, {"open", true}}},
            {"s2", {{"awaited", 2}, {"ask", 3}, {"open", false}}}}},
          {"groups",
           {{{"met", 3}, {"book", book(paced_by("", buy_at("p1-1", 97, 0)), "3")}},
            {{"met", 1}, {"book", book(behind, "3")}}}},
          {"known", -1}}}}}};
  paper_venue venue("SPY", {});
  venue.load(old.dump(), 1);
  CHECK(venue.next() == 2);
  paper_venue::output out;
  std::size_t done = 2;
  venue.absorb(log, done, log.size(), out);
  CHECK(done == 5);
  REQUIRE(out.answers.size() == 1);
  CHECK(out.answers[0].session == "s1");
  CHECK(out.answers[0].ask == 7);
  // The 95 at 2 is behind p1-1, which has met it; of the five there are three to sell.
  CHECK(said(out) == words{"filled p1-2", "canceled p1-2"});
  paper_venue again("SPY", {});
  again.load(venue.save());
  CHECK(again.save() == venue.save());
}
