// What stands beside each other at one paper venue: orders by hand, and sessions of one portfolio.
#include <doctest/doctest.h>

#include "actors/trading/messages.hpp"
#include "actors/trading/paper_venue_entity.hpp"
#include "actors/trading/portfolio_entity.hpp"
#include "actors/trading/risk_entity.hpp"
#include "actors/trading/session_entity.hpp"
#include "tests/actors/trading/drawn_strategy.hpp"
#include "trading_world.hpp"

using namespace troupe;
using namespace troupe::trading;
using namespace troupe::trading::test;
using nlohmann::json;

namespace {

const json limits{{"default", {{"symbols", {{"*", {{"short_max", "1000"}}}}}}}};
const entity_id risk_of_p1{"risk", "p1"}, portfolio_p1{"portfolio", "p1"};

class market_hall {
 public:
  market_hall(std::uint32_t seed, const stretch& log, std::size_t visible)
      : world({make_session_kind(options()), make_portfolio_kind(), make_paper_venue_kind({}),
               make_risk_kind([](std::string_view portfolio) {
                 faults wrong;
                 return parse_risk_limits(limits, portfolio, wrong).value();
               })},
              seed, 1 + seed % 5) {
    world.set_log("SPY", std::make_shared<market::market_batch>(log.events, log.details), visible);
    CHECK(world.ask(portfolio_p1, "open_portfolio", {{"cash", "100000"}})["cash"] == "100000");
  }

  json by_hand(int number, json more) {
    json request{{"session", "by-hand"}, {"number", number}, {"symbol", "SPY"},
                 {"side", "buy"},        {"type", "market"}, {"amount", "10"}};
    request.merge_patch(more);
    return world.ask(risk_of_p1, "submit_order_by_hand", request);
  }
  void start(const std::string& session, std::int64_t seed) {
    const entity_id id{"session", session};
    CHECK(world.ask(id, "create",
                    {{"portfolio", "p1"},
                     {"strategy", drawn()},
                     {"symbols", {"SPY"}},
                     {"parameters", {{"seed", seed}}},
                     {"from", "beginning"}})["phase"] == "created");
    CHECK(world.ask(id, "start", json::object())["phase"] == "running");
  }
  std::map<std::string, json> orders() {
    std::map<std::string, json> all;
    const auto state = world.state(portfolio_p1);
    for (const auto& o : state["orders"]) all[o["terms"]["id"]] = o;
    return all;
  }
  /// Offsets of the events that filled something, by order.
  std::vector<std::int64_t> filled_at(const std::string& order) const {
    std::vector<std::int64_t> all;
    for (const auto& [from, to, what] : world.history)
      if (what.type == "order_reports")
        for (const auto& r : what.body["reports"])
          if (r["what"] == "filled" && r["order"] == order) all.push_back(r["offset"]);
    return all;
  }

  trading_world world;

 private:
  static std::shared_ptr<const trading_options> options() {
    trading_options all;
    all.limits = limits;
    return std::make_shared<const trading_options>(all);
  }
};

json decided(const stretch& log, std::size_t event) {
  const auto& e = log.events[event];
  return {{"time", e.time}, {"last", to_string(e.price)}};
}

}  // namespace

TEST_CASE("an order by hand needs nothing but the log, with all that follows from it") {
  for (std::uint32_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    const auto log = drawn_market(seed).ticks(200, 600);
    market_hall hall(seed, log, 50);
    const auto price = log.events[49].price;
    const auto cents = [&](std::int64_t n) {
      return to_string(fixed::from_raw(price.raw() + n * (fixed::scale / 100)));
    };
    CHECK(hall.by_hand(1, {{"decided", decided(log, 49)},
                           {"take_profit", cents(8)},
                           {"stop_loss", cents(-8)}})["quantity"] == "10");
    hall.world.run();
    const auto orders = hall.orders();
    REQUIRE(orders.size() == 3);
    CHECK(orders.at("p1-1")["status"] == "filled");
    REQUIRE(hall.filled_at("p1-1").size() == 1);
    CHECK(hall.filled_at("p1-1")[0] > log.events[49].offset);
    const auto ends =
        std::set<std::string>{orders.at("p1-2")["status"], orders.at("p1-3")["status"]};
    CHECK(ends == std::set<std::string>{"filled", "canceled"});
  }
}

TEST_CASE("an order by hand begins where the log ends, not where the partition begins") {
  const auto log = drawn_market(3).ticks(200, 600);
  market_hall hall(3, log, 100);
  // Decided, by its own time, long before: the past does not fill it.
  CHECK(hall.by_hand(1, {{"decided", decided(log, 2)}})["quantity"] == "10");
  hall.world.run();
  REQUIRE(hall.filled_at("p1-1").size() == 1);
  CHECK(hall.filled_at("p1-1")[0] > log.events[99].offset);
}

TEST_CASE("no order by hand, and no other session, lets a session's orders run ahead of it") {
  std::size_t fills = 0;
  for (std::uint32_t seed = 1; seed <= 4; ++seed) {
    CAPTURE(seed);
    const auto log = drawn_market(seed).ticks(150, 20'000);
    market_hall hall(seed, log, 150);
    hall.start("s1", seed);
    hall.start("s2", seed + 100);
    CHECK(hall.by_hand(
              1, {{"decided", decided(log, 1)}, {"type", "limit"}, {"limit", "1"}})["quantity"] ==
          "10");
    hall.world.run();
    // What a session decides on an event comes behind whatever its orders came to until then.
    std::map<std::string, std::int64_t> newest;
    for (const auto& [from, to, what] : hall.world.history) {
      if (what.type == "order_reports")
        for (const auto& r : what.body["reports"])
          if (r["what"] == "filled") ++fills;
      if (what.type == "order_filled") {
        auto& last = newest[to.key];
        last = std::max(last, what.body["fill"]["time"].get<std::int64_t>());
      }
      if (what.type == "submit_order" && newest.contains(what.body["session"]))
        CHECK(what.body["decided"]["time"].get<std::int64_t>() >= newest[what.body["session"]]);
    }
    CHECK(hall.orders().at("p1-1")["status"] == "working");
  }
  CHECK(fills > 20);
}

TEST_CASE("whatever stands beside each other, reduce-only orders never open or turn a position") {
  std::size_t reduced = 0;
  for (std::uint32_t seed = 1; seed <= 6; ++seed) {
    CAPTURE(seed);
    const auto log = drawn_market(seed).ticks(150, 20'000);
    market_hall hall(seed, log, 100);
    hall.start("s1", seed);
    hall.start("s2", seed + 100);
    hall.world.run();
    std::map<std::string, bool> reduces;
    std::int64_t held = 0;
    for (const auto& [from, to, what] : hall.world.history) {
      if (what.type == "new_order")
        reduces[what.body["id"]] = what.body.value("reduce_only", false);
      if (what.type != "order_reports") continue;
      for (const auto& r : what.body["reports"]) {
        if (r["what"] != "filled") continue;
        const auto quantity = parse_fixed(r["trade"]["quantity"].get<std::string>())->raw();
        const auto before = held;
        held += r["trade"]["side"] == "buy" ? quantity : -quantity;
        if (!reduces.at(r["order"])) continue;
        ++reduced;
        CHECK(std::abs(held) < std::abs(before));
        CHECK((held == 0 || (held < 0) == (before < 0)));
      }
    }
  }
  CHECK(reduced > 5);
}

TEST_CASE("a stopped session leaves nothing at the venue, children of brackets included") {
  std::size_t children = 0;
  for (std::uint32_t seed = 1; seed <= 6; ++seed) {
    CAPTURE(seed);
    const auto log = drawn_market(seed).ticks(150, 20'000);
    market_hall hall(seed, log, 60);
    hall.start("s1", seed);
    for (int i = 0; i < 300; ++i) hall.world.go_on();
    const entity_id s1{"session", "s1"};
    CHECK(hall.world.ask(s1, "stop", json::object())["phase"] == "stopped");
    hall.world.run();
    for (const auto& [id, o] : hall.orders()) {
      CHECK_MESSAGE(o["status"] != "working", id);
      children += o.value("entry", 0) != 0 ? 1 : 0;
    }
    CHECK(hall.world.state(s1)["session"]["symbols"][0]["open"].empty());
  }
  CHECK(children > 0);
}
