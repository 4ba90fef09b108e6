#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "actors/trading/paper_venue_entity.hpp"
#include "trading_support.hpp"

using namespace troupe;
using namespace troupe::trading;
using namespace troupe::trading::test;
using nlohmann::json;

namespace {

venue_order order_of(std::string id, std::int64_t decided_on) {
  venue_order o;
  o.id = std::move(id);
  o.portfolio = o.id.substr(0, o.id.rfind('-'));
  o.symbol = "SPY";
  o.quantity = dec("5");
  o.decided = decided(decided_on, begin_micros + decided_on * second);
  return o;
}

venue_order limit_of(std::string id, std::int64_t decided_on, std::string_view price) {
  auto o = order_of(std::move(id), decided_on);
  o.type = order_type::limit;
  o.limit = dec(price);
  return o;
}

/// A paper venue on a log of trades, whose prices are 100, 101, 102 ... at the offsets 0, 1, 2 ...
class house {
 public:
  explicit house(paper_options o = {}) : options(o), venue(make_paper_venue_kind(o).make(id)) {}

  /// What the portfolios hear, as short texts.
  strings send(const char* type, const json& body) {
    effects out;
    venue->handle({type, body}, {id, from_micros(begin_micros)}, out);
    return heard(out);
  }
  /// The log goes on up to the offset `to`, as the runtime offers it: from the cursor on.
  strings go_on(std::int64_t to) {
    restart();
    const auto following = venue->follows();
    if (following.empty()) return {"follows nothing"};
    CHECK(following[0].of == symbol);
    auto from = following[0].next.value();
    if (following[0].next == feed_from_now) from = to;
    std::vector<market::market_event> events;
    for (auto i = from; i <= to; ++i) events.push_back(trade(i, std::to_string(100 + i)));
    const market::market_batch batch(events, {});
    effects out;
    std::size_t done = 0;
    venue->absorb_feed({symbol, &batch, events.size(), position(to + 1)}, done,
                       {id, from_micros(begin_micros)}, out);
    CHECK(done == events.size());
    CHECK(out.ask_follows == venue->follows().empty());
    return heard(out);
  }
  void restart() {
    const auto text = venue->save();
    venue = make_paper_venue_kind(options).make(id);
    venue->load(text, 1);
    CHECK(venue->save() == text);
  }

  const entity_id id{"paper_venue", "SPY"}, symbol{"symbol", "SPY"};
  const paper_options options;
  std::unique_ptr<entity> venue;

 private:
  static strings heard(const effects& out) {
    strings all;
    for (const auto& t : out.tells) {
      CHECK(t.to.kind == "portfolio");
      CHECK(t.what.type == "order_reports");
      auto text = t.to.key + ":";
      paper_book::reports reports;
      for (const auto& r : t.what.body.at("reports")) {
        faults wrong;
        reports.push_back(parse<order_report>(r, wrong).value());
      }
      for (const auto& one : texts(reports)) text += ' ' + one + ',';
      if (t.what.body.contains("until")) text += " until " + t.what.body["until"].dump();
      all.push_back(text);
    }
    return all;
  }
};

}  // namespace

TEST_CASE("the paper venue follows its symbol from behind the decision, while orders are open") {
  house h;
  CHECK(h.venue->follows().empty());
  CHECK(h.send("new_order", json_of(order_of("p1-1", 3))) ==
        strings{"p1: acknowledged 1, until 3"});
  CHECK(h.venue->follows()[0].next == position(4));
  CHECK(h.go_on(3) == strings{"p1: until 3"});
  CHECK(h.go_on(6) == strings{"p1: filled 1 5@104 taker, until 6"});
  CHECK(h.venue->follows().empty());
}

TEST_CASE("an order decided on a past event is filled from the log, and others see nothing twice") {
  paper_options options;
  options.displayed_size = true;  // Each trade shows 1,000.
  house h(options);
  auto big = order_of("p1-1", 0);
  big.quantity = dec("2500");
  h.send("new_order", json_of(big));
  CHECK(h.go_on(2) == strings{"p1: filled 1 1000@101 taker, filled 1 1000@102 taker, until 2"});
  CHECK(h.send("new_order", json_of(order_of("p2-1", 0))) ==
        strings{"p2: acknowledged 1, until 0"});
  CHECK(h.venue->follows()[0].next == position(1));
  CHECK(h.go_on(2) == strings{"p1: until 2", "p2: filled 1 5@101 taker, until 2"});
  CHECK(h.go_on(3) == strings{"p1: filled 1 500@103 taker, until 3"});
}

TEST_CASE("each portfolio hears of its own orders alone, and how far the venue has come") {
  house h;
  h.send("new_order", json_of(limit_of("p1-1", 0, "90")));
  h.send("new_order", json_of(order_of("a-b-1", 0)));
  CHECK(h.go_on(2) == strings{"p1: until 2", "a-b: filled 1 5@101 taker, until 2"});
  CHECK(h.send("cancel_order", {{"order", "p1-1"}}) == strings{"p1: canceled 1,"});
  CHECK(h.go_on(3) == strings{"follows nothing"});
  CHECK(h.send("cancel_order", {{"order", "p1-1"}}) ==
        strings{"p1: cancel_refused 1 unknown_order,"});
  CHECK(h.send("change_order", {{"order", "p1-1"}, {"quantity", "7"}}) ==
        strings{"p1: change_refused 1 unknown_order,"});
}

TEST_CASE("a stretch in which nothing happened is told too") {
  house h;
  h.send("new_order", json_of(limit_of("p1-1", 0, "90")));
  effects out;
  std::size_t done = 0;
  h.venue->absorb_feed({h.symbol, nullptr, 0, position(50)}, done, {h.id, {}}, out);
  REQUIRE(out.tells.size() == 1);
  CHECK(out.tells[0].what.body["until"] == 49);
  CHECK(h.venue->follows()[0].next == position(50));
}

TEST_CASE("an order without an event counts from what comes next") {
  house h;
  h.send("new_order", json_of(order_of("p1-1", -1)));
  CHECK(h.venue->follows()[0].next == feed_from_now);
  CHECK(h.go_on(9) == strings{"p1: filled 1 5@109 taker, until 9"});
}

TEST_CASE("what the paper venue cannot read is refused by name") {
  house h;
  effects out;
  h.venue->handle({"new_order", {{"id", 1}}}, {h.id, {}}, out);
  REQUIRE(out.answer.has_value());
  CHECK((*out.answer)["error"] == "malformed");
  CHECK(out.read_only);
  CHECK_THROWS_AS(h.venue->load("{}", 1), bad_state);
  CHECK_THROWS_AS(h.venue->load(h.venue->save(), 2), bad_state);
}
