#include <doctest/doctest.h>

#include "runtime/codec/text.hpp"
#include "trading_shard.hpp"

using namespace troupe;
using namespace troupe::trading;
using namespace troupe::trading::test;
using nlohmann::json;

TEST_CASE("an order goes from the session through risk check and portfolio to the venue and back") {
  shard s;
  CHECK(s.send("portfolio", "open_portfolio", {{"cash", "100000"}})["cash"] == "100000");
  const auto verdict = s.send("risk", "submit_order", body_of(request(1, side::buy, "10")));
  CHECK(verdict["number"] == 1);
  CHECK(verdict["quantity"] == "10");
  CHECK_FALSE(verdict.contains("refused"));
  const auto said = s.taken();
  REQUIRE(said.size() == 2);
  CHECK(said[0].starts_with(R"(paper_venue/SPY new_order {"decided":)"));
  CHECK(said[1] == R"(session/s1 order_approved {"number":1,"order":"p1-1","quantity":"10"})");
  CHECK(s.cell(verdict_table, 8) == "approved");
  CHECK(s.cell(order_table, 18) == "pending");

  s.restart();
  s.send("portfolio", "order_reports", reports_of(filled("p1-1", 1, side::buy, "10", "100", "1")));
  const auto heard = s.taken();
  REQUIRE(heard.size() == 2);
  CHECK(heard[0].starts_with(R"(session/s1 order_filled {"fill":)"));
  CHECK(heard[1] ==
        R"(session/s1 order_changed {"number":1,"order":"p1-1","reason":"","status":"filled"})");
  CHECK(s.rows_of(fill_table) == 1);
  CHECK(s.cell(order_table, 18) == "filled");

  // Delivered again it has no effect.
  s.send("portfolio", "order_reports", reports_of(filled("p1-1", 1, side::buy, "10", "100", "1")));
  CHECK(s.rows_of(fill_table) == 1);
  const auto risk = s.send("risk", "show", {});
  CHECK(risk["facts"]["cash"] == "98999");
  CHECK(risk["facts"]["symbols"]["SPY"]["position"] == "10");
  CHECK_FALSE(risk["facts"].contains("reserved"));
  CHECK(s.records.empty());
}

TEST_CASE("channels hear of fills, denials and halts, each by its own id") {
  shard s({{"f"}, {"d"}, {"h", "h2"}, {}, {}, {}});
  const auto heard = [&s] {
    std::vector<std::pair<std::string, json>> all;
    for (const auto& one : s.taken())
      if (const auto at = one.find(" notify "); at != std::string::npos)
        all.emplace_back(one.substr(0, at), json::parse(one.substr(at + 8)));
    return all;
  };
  s.send("portfolio", "open_portfolio", {{"cash", "1100"}});
  s.send("risk", "submit_order", body_of(request(1, side::buy, "10")));
  CHECK(heard().empty());
  s.send("portfolio", "order_reports", reports_of(filled("p1-1", 1, side::buy, "10", "100", "1")));
  auto said = heard();
  REQUIRE(said.size() == 1);
  CHECK(said[0].first == "notification/f");
  CHECK(said[0].second["rule"] == "fills");
  CHECK(said[0].second["text"] == "buy 10 SPY at 100, order p1-1");
  CHECK(said[0].second["facts"]["session"] == "s1");
  const auto id = said[0].second["id"].get<std::string>();
  CHECK(id == "fill-p1-1-" + said[0].second["facts"]["id"].get<std::string>());
  s.send("portfolio", "order_reports", reports_of(filled("p1-1", 1, side::buy, "10", "100", "1")));
  CHECK(heard().empty());
  s.send("risk", "submit_order", body_of(request(2, side::buy, "15")));
  said = heard();
  REQUIRE(said.size() == 1);
  CHECK(said[0].first == "notification/d");
  CHECK(said[0].second["id"] == "denial-p1-2");
  CHECK(said[0].second["facts"]["refused"] == "cash");
  s.send("risk", "set_state", {{"by", "anna"}, {"reason", "why"}, {"state", "halted"}});
  s.send("risk", "set_limits", {{"by", "anna"}, {"limits", {{"open_orders_max", 7}}}});
  said = heard();
  REQUIRE(said.size() == 2);
  CHECK(said[0].first == "notification/h");
  CHECK(said[1].first == "notification/h2");
  CHECK(said[0].second["id"] == "state-p1-1");
  CHECK(said[0].second["text"] == "trading of portfolio p1 is halted");
  CHECK(said[0].second["facts"]["by"] == "anna");
}

TEST_CASE("two orders in one unit are both judged by what the first one took") {
  shard s;
  s.send("portfolio", "open_portfolio", {{"cash", "2100"}});
  CHECK_FALSE(
      s.send("risk", "submit_order", body_of(request(1, side::buy, "15"))).contains("refused"));
  CHECK(s.send("risk", "submit_order", body_of(request(2, side::buy, "15")))["refused"] == "cash");
  CHECK(
      s.taken().back() ==
      R"(session/s1 order_denied {"detail":"needed=1575.00000015 available=524.99999985","number":2,"refused":"cash"})");
  CHECK(s.rows_of(verdict_table) == 2);
  CHECK(s.cell(verdict_table, 9) == "cash");
}

TEST_CASE("a request given again has no second effect") {
  shard s;
  s.send("portfolio", "open_portfolio", {{"cash", "100000"}});
  s.send("risk", "submit_order", body_of(request(1, side::buy, "10")));
  s.taken();
  CHECK(s.send("risk", "submit_order", body_of(request(1, side::buy, "10")))["refused"] ==
        "duplicate");
  CHECK(s.taken().empty());
  CHECK(s.rows_of(verdict_table) == 1);
}

TEST_CASE("people and sessions have numbers of their own: nobody orders under a session's name") {
  shard s;
  s.send("portfolio", "open_portfolio", {{"cash", "100000"}});
  auto r = request(1'000'000, side::buy, "10");
  for (const auto* name : {"s1", "by hand", "by-han", "By-hand", "by-hand/anna", "my-by-hand"}) {
    CAPTURE(name);
    r.session = name;
    const auto answer = s.send("risk", "submit_order_by_hand", body_of(r));
    CHECK(answer["error"] == "malformed");
    CHECK(answer["faults"][0].get<std::string>().find("must be by-hand or begin with it") !=
          std::string::npos);
  }
  CHECK(s.rows_of(verdict_table) == 0);
  CHECK(s.taken().empty());
  for (const auto* name : {"by-hand", "by-hand-anna"}) {
    r.session = name;
    CHECK_FALSE(s.send("risk", "submit_order_by_hand", body_of(r)).contains("error"));
    CHECK(s.send("risk", "submit_order_by_hand", body_of(r))["refused"] == "duplicate");
  }
  CHECK_FALSE(
      s.send("risk", "submit_order", body_of(request(1, side::buy, "10"))).contains("refused"));
  r.symbol = "S\\PY";
  ++r.number;
  CHECK(s.send("risk", "submit_order_by_hand", body_of(r))["faults"].size() == 1);
  r.symbol = "SPY";
  r.paced = true;
  CHECK(s.send("risk", "submit_order_by_hand", body_of(r))["faults"][0] ==
        "paced = true: must be left out: it is for sessions");
}

TEST_CASE("a portfolio's name is one that a session could have, whatever is said to it") {
  const strings types[]{{"show", "set_limits", "set_state", "submit_order", "submit_order_by_hand",
                         "portfolio_changed"},
                        {"show", "open_portfolio", "cancel_order", "cancel_orders", "place_order",
                         "order_reports", "await_effects", "effects_known"}};
  shard s;
  for (const auto& name : {std::string("p 1"), std::string("p/1"), std::string("p\n"),
                           std::string("\xC3\xA9"), std::string(65, 'p')})
    for (const auto* kind : {"risk", "portfolio"})
      for (const auto& type : types[std::string_view(kind) == "portfolio"]) {
        CAPTURE(name);
        CAPTURE(type);
        const auto answer = s.send(kind, type, json::object(), name);
        CHECK(answer["error"] == "bad_name");
        CHECK(answer["detail"].get<std::string>().find("1 to 64 characters of letters") !=
              std::string::npos);
      }
  CHECK(s.blocks.empty());
  CHECK(s.taken().empty());
  CHECK_FALSE(s.send("risk", "show", json::object(), std::string(64, 'p')).contains("error"));
  CHECK_FALSE(s.send("portfolio", "show", json::object(), "A-z_0.9").contains("error"));
}

TEST_CASE("orders for external venues go out on a topic") {
  shard s;
  s.send("portfolio", "open_portfolio", {{"cash", "100000"}, {"venue", "orders"}});
  s.send("risk", "submit_order", body_of(request(1, side::buy, "10")));
  s.send("portfolio", "cancel_order", {{"order", "p1-1"}});
  REQUIRE(s.records.size() == 2);
  CHECK(s.records[0].topic == orders_topic);
  CHECK(s.records[0].key == "p1");
  CHECK(json::parse(s.records[0].payload)["type"] == "new_order");
  CHECK(json::parse(s.records[0].payload)["body"]["id"] == "p1-1");
  CHECK(json::parse(s.records[0].payload)["body"]["type"] == "market");
  CHECK(json::parse(s.records[1].payload)["type"] == "cancel_order");
}

TEST_CASE("cancels") {
  shard s;
  s.send("portfolio", "open_portfolio", {{"cash", "100000"}});
  s.send("risk", "set_state", {{"state", "halted"}, {"by", "ann"}});
  CHECK(s.send("risk", "submit_order", body_of(request(1, side::buy, "10")))["refused"] ==
        "halted");
  s.send("risk", "set_state", {{"state", "active"}, {"by", "ann"}});
  s.send("risk", "submit_order", body_of(request(2, side::buy, "10")));
  s.send("risk", "set_state", {{"state", "halted"}, {"by", "ann"}, {"reason", "lunch"}});
  s.taken();
  CHECK(s.send("portfolio", "cancel_order", {{"order", "p1-1"}})["refused"] == "none");
  // By hand: it names no event, and is of now.
  CHECK(
      s.taken() ==
      strings{
          R"(paper_venue/SPY cancel_order {"decided":{"time":1700000000000000},"order":"p1-1"})"});
  CHECK(s.send("portfolio", "cancel_order", {{"order", "p1-1"}})["refused"] == "repeated");
  CHECK(s.send("portfolio", "cancel_order", {{"order", "p1-2"}})["refused"] == "unknown_order");
  for (const auto* other : {"p2-1", "p1-01", "p1-+1", "p1-1 ", "p1-"}) {
    CAPTURE(std::string(other));
    CHECK(s.send("portfolio", "cancel_order", {{"order", other}})["refused"] == "unknown_order");
  }
  CHECK(s.send("portfolio", "cancel_orders", json::object())["asked"] == 0);
}

TEST_CASE("a halt leaves open orders and says how many, or has them all canceled") {
  for (const auto* state : {"halted", "reducing"}) {
    CAPTURE(state);
    shard s;
    s.send("portfolio", "open_portfolio", {{"cash", "100000"}});
    const json stay{{"state", state}, {"by", "ann"}};
    auto cancel = stay;
    cancel["cancel_orders"] = true;
    const auto none = s.send("risk", "set_state", cancel);
    CHECK(none == json{{"state", state}, {"open_orders", 0}, {"cancel_orders", true}});
    CHECK(s.taken().empty());
    s.send("risk", "set_state", {{"state", "active"}, {"by", "ann"}});
    s.send("risk", "submit_order", body_of(limit_request(1, side::buy, "10", "99")));
    s.send("risk", "submit_order", body_of(limit_request(2, side::buy, "10", "98")));
    auto by_hand = limit_request(1, side::buy, "10", "97");
    by_hand.session = "by-hand";
    s.send("risk", "submit_order_by_hand", body_of(by_hand));
    s.send("portfolio", "order_reports", reports_of(filled("p1-1", 1, side::buy, "10", "99")));
    s.taken();
    CHECK(s.send("risk", "set_state", stay) ==
          json{{"state", state}, {"open_orders", 2}, {"cancel_orders", false}});
    CHECK(s.taken().empty());
    s.restart();
    CHECK(s.send("risk", "set_state", cancel) ==
          json{{"state", state}, {"open_orders", 2}, {"cancel_orders", true}});
    const strings cancels{
        R"(paper_venue/SPY cancel_order {"decided":{"time":1700000000000000},"order":"p1-2"})",
        R"(paper_venue/SPY cancel_order {"decided":{"time":1700000000000000},"order":"p1-3"})"};
    CHECK(s.taken() == cancels);
    CHECK(s.cell(risk_change_table, 3) == "open_orders");
    CHECK(s.cell(risk_change_table, 4) == "2");
    s.send("risk", "set_state", cancel);
    CHECK(s.taken().empty());  // Asked already.
    s.send("portfolio", "order_reports", reports_of(report(report_kind::canceled, "p1-2")));
    s.send("portfolio", "order_reports", reports_of(report(report_kind::canceled, "p1-3")));
    CHECK(s.send("risk", "set_state", stay)["open_orders"] == 0);
  }
  shard s;
  CHECK(s.send("risk", "set_state",
               {{"state", "active"}, {"by", "ann"}, {"cancel_orders", true}})["faults"][0] ==
        "cancel_orders = true: must go with state halted or reducing");
}

TEST_CASE("an order that is canceled by hand was not updated before it was placed") {
  shard s;
  s.send("portfolio", "open_portfolio", {{"cash", "100000"}});
  s.send("risk", "submit_order", body_of(request(1, side::buy, "10")));
  auto canceled = report(report_kind::canceled, "p1-1");
  canceled.time = {};
  s.send("portfolio", "order_reports", reports_of(canceled));
  const auto orders = s.send("portfolio", "show", json::object())["orders"];
  CHECK(orders[0]["status"] == "canceled");
  CHECK(orders[0]["updated"] == begin_micros);
}

TEST_CASE("limits are changed live, one member at a time, with an audit row each") {
  shard s;
  s.send("portfolio", "open_portfolio", {{"cash", "100000"}});
  const auto answer = s.send("risk", "set_limits",
                             {{"by", "ann"},
                              {"reason", "r"},
                              {"limits", {{"symbols", {{"SPY", {{"position_max", "5"}}}}}}}});
  CHECK(answer["limits"]["symbols"]["SPY"]["position_max"] == "5");
  CHECK(answer["limits"]["symbols"]["SPY"]["short_max"] == "1000");
  s.restart();
  CHECK(s.send("risk", "submit_order", body_of(request(1, side::buy, "10")))["refused"] ==
        "position_limit");
  s.send("risk", "set_limits",
         {{"by", "ann"}, {"limits", {{"symbols", {{"SPY", {{"position_max", nullptr}}}}}}}});
  CHECK_FALSE(
      s.send("risk", "submit_order", body_of(request(2, side::buy, "10"))).contains("refused"));
  CHECK(s.rows_of(risk_change_table) == 2);
  CHECK(s.cell(risk_change_table, 6) == "ann");

  const auto wrong =
      s.send("risk", "set_limits", {{"limits", {{"orders_max", -1}, {"typo", 1}}}, {"by", "ann"}});
  CHECK(wrong["error"] == "malformed");
  CHECK(wrong["faults"].size() == 2);
  for (const auto& [limits, fault] :
       {std::pair<json, const char*>{{{"typo", nullptr}}, "limits.typo = null: is not known here"},
        {{{"symbols", {{"SPY", {{"typo", nullptr}}}}}},
         "limits.symbols.SPY.typo = null: is not known here"},
        {{{"symbols", {{"", {{"short_max", "1"}}}}}},
         "limits.symbols = \"\": symbols must have 1 to 32 characters, no control characters and "
         "no "
         "backslash"}}) {
    const auto refused = s.send("risk", "set_limits", {{"limits", limits}, {"by", "ann"}});
    CHECK(refused["faults"] == json::array({fault}));
  }
  CHECK(s.send("risk", "set_state", {{"state", "off"}, {"by", "ann"}})["faults"][0] ==
        "state = \"off\": must be one of active, reducing, halted");
  CHECK(s.rows_of(risk_change_table) == 2);
}

TEST_CASE("a fill that takes equity too far down halts trading by itself") {
  shard s;
  s.send("portfolio", "open_portfolio", {{"cash", "10000"}});
  s.send("risk", "set_limits", {{"by", "ann"}, {"limits", {{"drawdown_max_percent", "5"}}}});
  s.send("risk", "submit_order", body_of(request(1, side::buy, "50")));
  s.send("portfolio", "order_reports", reports_of(filled("p1-1", 1, side::buy, "25", "100")));
  CHECK(s.rows_of(risk_change_table) == 1);
  s.send("portfolio", "order_reports", reports_of(filled("p1-1", 2, side::buy, "25", "70")));
  CHECK(s.rows_of(risk_change_table) == 2);
  CHECK(s.cell(risk_change_table, 6) == "risk");
  CHECK(s.send("risk", "submit_order", body_of(request(2, side::sell, "10")))["refused"] ==
        "drawdown");
}

TEST_CASE("a portfolio is opened once") {
  shard s;
  CHECK(s.send("portfolio", "open_portfolio", {{"cash", "100"}})["cash"] == "100");
  CHECK(s.send("portfolio", "open_portfolio", {{"cash", "100"}})["cash"] == "100");
  CHECK(s.send("portfolio", "open_portfolio", {{"cash", "200"}})["error"] == "already_open");
  CHECK(s.send("portfolio", "open_portfolio", {{"cash", "100"}, {"venue", "orders"}})["error"] ==
        "already_open");
  CHECK(
      s.send("portfolio", "open_portfolio", {{"cash", "x"}, {"venue", "moon"}})["faults"].size() ==
      2);
}

TEST_CASE("what cannot be used of a venue's reports is kept as dead letters, the rest counts") {
  shard s;
  s.send("portfolio", "open_portfolio", {{"cash", "100000"}});
  s.send("risk", "submit_order", body_of(request(1, side::buy, "10")));
  const auto answer = s.send("portfolio", "order_reports",
                             {{"reports",
                               {json_of(filled("p1-1", 1, side::buy, "4", "100")), 7,
                                json_of(filled("p1-9", 1, side::buy, "4", "100")),
                                json_of(filled("p1-1", 2, side::buy, "40", "100")),
                                json_of(filled("p1-1", 1, side::buy, "4", "100")),
                                json_of(filled("p1-1", 3, side::buy, "6", "100"))}}});
  CHECK(answer["refused"] == json{"none", "document = 7: must be an object", "unknown_order",
                                  "beyond_quantity", "repeated", "none"});
  REQUIRE(s.records.size() == 3);
  for (const auto& r : s.records) CHECK(r.topic == dead_letter_topic);
  CHECK(json::parse(s.records[1].payload)["reason"] == "unknown_order");
  CHECK(s.rows_of(fill_table) == 2);
  CHECK(s.send("portfolio", "order_reports", {{"reports", 1}})["error"] == "malformed");
  CHECK(s.records.size() == 4);
}

TEST_CASE("damaged or unknown states of risk check and portfolio are refused by name") {
  for (const auto& kind :
       {make_risk_kind([](std::string_view) { return generous(); }), make_portfolio_kind()}) {
    CAPTURE(kind.name);
    auto one = kind.make({kind.name, "p1"});
    const auto good = one->save();
    CHECK_THROWS_AS(one->load(good, kind.schema + 1), bad_state);
    for (const auto* text : {"", "null", "[]", "{}", R"({"venue":"paper","changes":0})",
                             R"({"risk":{},"facts":{},"changes":0})"})
      CHECK_THROWS_AS(one->load(text, kind.schema), bad_state);
  }
}
