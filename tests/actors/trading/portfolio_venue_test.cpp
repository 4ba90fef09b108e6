// What portfolio and risk check tell the venue and sessions, and what they wait for.
#include <doctest/doctest.h>

#include <cstring>

#include "trading_shard.hpp"

using namespace troupe;
using namespace troupe::trading;
using namespace troupe::trading::test;
using nlohmann::json;

TEST_CASE("whose orders meet the log at whose pace") {
  shard s;
  s.send("portfolio", "open_portfolio", {{"cash", "100000"}});
  auto asked = request(1, side::buy, "10");
  asked.take_profit = dec("120");
  asked.stop_loss = dec("90");
  for (const bool paced : {true, false}) {
    asked.number += 1;
    asked.paced = paced;
    s.send("risk", "submit_order", body_of(asked));
    const auto entry = json::parse(s.taken().at(0).substr(strlen("paper_venue/SPY new_order ")));
    CHECK(entry.value("paced_by", "nobody") == (paced ? "s1" : "nobody"));
    s.send("portfolio", "order_reports",
           reports_of(filled(entry["id"].get<std::string>(), 1, side::buy, "10", "100")));
    const auto said = s.taken();
    REQUIRE(said.size() == 6);
    for (const auto i : {2, 4}) {
      const auto child = json::parse(said[i].substr(strlen("paper_venue/SPY new_order ")));
      CHECK(child.value("paced_by", "nobody") == (paced ? "s1" : "nobody"));
      const auto told = json::parse(said[i + 1].substr(strlen("session/s1 child_placed ")));
      CHECK(told["symbol"] == "SPY");
      CHECK(told["order"]["id"] == child["id"]);
      CHECK(told["order"]["number"] == asked.number);
      CHECK(told["order"]["quantity"] == "10");
      CHECK(told["order"]["child"] == true);
    }
  }
}

TEST_CASE("a bracket counts as open with its children from the beginning, at any fill") {
  shard s;
  s.send("portfolio", "open_portfolio", {{"cash", "100000"}});
  s.send("risk", "set_limits", {{"by", "ann"}, {"limits", {{"open_orders_max", 4}}}});
  auto bracket = request(1, side::buy, "10");
  bracket.take_profit = dec("120");
  bracket.stop_loss = dec("90");
  std::int64_t number = 0;
  const auto answer_of = [&](order_request asked) {
    asked.number = ++number;
    const auto given = s.send("risk", "submit_order", body_of(asked));
    return given.value("refused", "approved") + ' ' + given.value("detail", "");
  };
  const auto more = limit_request(1, side::buy, "1", "90");
  const std::string full = "open_orders open_orders=4 open_orders_max=4";
  const auto open = [&] { return s.send("risk", "show", {})["facts"]["open_orders"]; };
  CHECK(answer_of(bracket) == "approved ");  // p1-1: 3 of 4.
  CHECK(answer_of(bracket) == "open_orders open_orders=5 open_orders_max=4");
  CHECK(answer_of(more) == "approved ");
  CHECK(answer_of(more) == full);
  s.send("portfolio", "order_reports", reports_of(filled("p1-1", 1, side::buy, "4", "100")));
  s.restart();
  CHECK(open() == 4);  // p1-3 and p1-4 are there.
  CHECK(answer_of(more) == full);
  s.send("portfolio", "order_reports", reports_of(report(report_kind::canceled, "p1-3")));
  s.send("portfolio", "order_reports", reports_of(report(report_kind::canceled, "p1-4")));
  s.restart();
  CHECK(open() == 2);
  CHECK(answer_of(more) == full);  // The entry goes on, and would place two more.
  s.send("portfolio", "order_reports", reports_of(filled("p1-1", 2, side::buy, "6", "100")));
  CHECK(open() == 3);
  CHECK(answer_of(more) == "approved ");
  CHECK(answer_of(more) == full);
}

TEST_CASE("an answer of the venue is passed on once all that its reports led to is in it") {
  shard s;
  s.send("portfolio", "open_portfolio", {{"cash", "100000"}});
  auto asked = request(1, side::buy, "10");
  asked.paced = true;
  asked.stop_loss = dec("90");
  s.send("risk", "submit_order", body_of(asked));
  const auto question = [](const char* session, std::int64_t known) {
    return json{{"portfolio", "p1"}, {"session", session}, {"symbol", "SPY"},
                {"ask", 1},          {"offset", 1},        {"known", known}};
  };
  s.send("portfolio", "await_effects", question("s1", -1));
  s.restart();
  s.taken();
  s.send("portfolio", "order_reports", reports_of(filled("p1-1", 1, side::buy, "10", "100")));
  s.restart();
  s.taken();
  // Another session's question says nothing of the child that has just been placed.
  s.send("portfolio", "await_effects", question("s2", -1));
  CHECK(s.taken().size() == 1);
  s.send("portfolio", "effects_known", question("s1", 7));
  CHECK(s.taken() == strings{"paper_venue/SPY await_effects " + question("s1", -1).dump()});
  s.send("portfolio", "effects_known", question("s1", 1));
  CHECK(s.taken() == strings{"session/s1 effects_known " + question("s1", 1).dump()});
}

TEST_CASE("a session is told its portfolio's venue, whoever opened it") {
  shard s;
  s.send("portfolio", "open_portfolio", {{"cash", "100"}, {"venue", "orders"}});
  CHECK(s.taken().empty());
  s.send("portfolio", "open_portfolio", {{"cash", "200"}, {"venue", "paper"}, {"session", "s1"}});
  CHECK(s.taken() == strings{R"(session/s1 portfolio_opened {"venue":"orders"})"});
}

TEST_CASE(
    "the drawdown limit cancels what could open positions, and leaves what only closes them") {
  for (const bool by_fill : {true, false}) {
    CAPTURE(by_fill);
    shard s;
    s.send("portfolio", "open_portfolio", {{"cash", "10000"}});
    s.send("risk", "set_limits", {{"by", "ann"}, {"limits", {{"drawdown_max_percent", "5"}}}});
    auto entry = request(1, side::buy, "25");
    entry.stop_loss = dec("50");
    s.send("risk", "submit_order", body_of(entry));
    s.send("risk", "submit_order", body_of(limit_request(2, side::buy, "5", "70")));
    s.send("risk", "submit_order", body_of(limit_request(3, side::buy, "5", "60")));
    s.send("portfolio", "order_reports", reports_of(filled("p1-1", 1, side::buy, "25", "100")));
    s.taken();
    const std::string at = by_fill ? "" : R"("offset":0,)";
    strings expected;
    for (const auto* order : {"p1-2", "p1-3"})
      expected.push_back(R"(paper_venue/SPY cancel_order {"decided":{)" + at +
                         R"("time":1700000000000000},"order":")" + order + "\"}");
    if (by_fill) {
      s.send("portfolio", "order_reports", reports_of(filled("p1-2", 1, side::buy, "1", "70")));
    } else {
      auto low = request(4, side::sell, "1");
      low.decided.last = dec("70");
      CHECK(s.send("risk", "submit_order", body_of(low))["refused"] == "drawdown");
    }
    strings cancels;
    for (const auto& one : s.taken())
      if (one.find("cancel_order") != std::string::npos) cancels.push_back(one);
    CHECK(cancels == expected);  // Not p1-4, the stop.
    CHECK(s.send("risk", "show", {})["facts"]["open_orders"] == 3);
  }
}

TEST_CASE("each fill of one message counts for the drawdown limit, as in a back-test") {
  shard s;
  s.send("portfolio", "open_portfolio", {{"cash", "10000"}});
  s.send("risk", "set_limits", {{"by", "ann"}, {"limits", {{"drawdown_max_percent", "5"}}}});
  s.send("risk", "submit_order", body_of(request(1, side::buy, "50")));
  s.send("portfolio", "order_reports",
         {{"symbol", "SPY"},
          {"reports",
           {json_of(filled("p1-1", 1, side::buy, "25", "100")),
            json_of(filled("p1-1", 2, side::buy, "5", "130")),
            json_of(filled("p1-1", 3, side::buy, "5", "105"))}}});
  CHECK(s.send("risk", "show", {})["risk"]["trading_state"] == "halted");  // 10,750 to 10,000.
  CHECK(s.send("risk", "show", {})["risk"]["peak"] == "10750");
}

TEST_CASE("states from before orders had a pace and brackets were counted are read") {
  shard s;
  s.send("portfolio", "open_portfolio", {{"cash", "100000"}});
  auto asked = request(1, side::buy, "10");
  asked.paced = true;
  asked.stop_loss = dec("90");
  s.send("risk", "submit_order", body_of(asked));
  asked.number = 2;
  s.send("risk", "submit_order", body_of(asked));
  s.send("portfolio", "order_reports", reports_of(filled("p1-1", 1, side::buy, "4", "100")));
  auto portfolio_state = s.send("portfolio", "show", json::object());
  auto risk_state = s.send("risk", "show", json::object());
  CHECK(risk_state["facts"]["children_to_come"] == 1);  // Of p1-2.
  for (auto& o : portfolio_state["orders"]) {
    o.erase("children_at");
    o["terms"].erase("paced_by");
  }
  portfolio_state["unsettled"] = {"SPY"};
  risk_state["facts"].erase("children_to_come");
  risk_state["risk"]["in_flight"] = {{{"verdict", 9},
                                      {"symbol", "SPY"},
                                      {"side", "buy"},
                                      {"quantity", "1"},
                                      {"price", "100"},
                                      {"cash", "100"}}};
  const entity_id id{"portfolio", "p1"};
  portfolio_entity p(id);
  p.load(portfolio_state.dump(), portfolio::schema);
  risk_entity r(generous());
  r.load(risk_state.dump(), risk::schema);
  effects out;
  p.handle({"order_reports", reports_of(filled("p1-1", 2, side::buy, "6", "100"))},
           {id, from_micros(begin_micros)}, out);
  REQUIRE_FALSE(out.tells.empty());
  for (const auto& t : out.tells) {
    if (t.what.type != "portfolio_changed") continue;
    CHECK(t.what.body["open_orders"] == 2);  // p1-2, and the stop of p1-1, enlarged.
    CHECK(t.what.body["children_to_come"] == 1);
  }
}
