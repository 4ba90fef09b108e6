#include <doctest/doctest.h>

#include <cstring>
#include <deque>
#include <map>

#include "actors/trading/portfolio_entity.hpp"
#include "actors/trading/trading_tables.hpp"
#include "runtime/codec/text.hpp"
#include "trading_support.hpp"

using namespace troupe;
using namespace troupe::trading;
using namespace troupe::trading::test;
using nlohmann::json;

namespace {

risk_limits generous() {
  risk_limits limits;
  limits.symbols["SPY"].short_max = dec("1000");
  return limits;
}

/// One shard: delivers what the entities tell each other at once, and keeps what goes elsewhere.
class shard {
 public:
  explicit shard(const notice_rules& notices = {}) {
    kinds["risk"] = make_risk_kind([](std::string_view) { return generous(); }, notices);
    kinds["portfolio"] = make_portfolio_kind(notices.fills);
  }

  /// The answer to a message.
  json send(std::string kind, std::string type, json body) {
    answer = nullptr;
    waiting.push_back({{std::move(kind), "p1"}, {std::move(type), std::move(body)}});
    while (!waiting.empty()) {
      auto next = std::move(waiting.front());
      waiting.pop_front();
      deliver(next);
    }
    return answer;
  }
  strings taken() { return std::exchange(outside, {}); }
  std::size_t rows_of(const table_def& table) const {
    std::size_t sum = 0;
    for (const auto& b : blocks)
      if (&b.table() == &table) sum += b.rows();
    return sum;
  }
  /// A text cell of the newest row of a table.
  std::string cell(const table_def& table, std::size_t column) const {
    for (auto b = blocks.rbegin(); b != blocks.rend(); ++b)
      if (&b->table() == &table) return std::get<std::string>(b->column(column).back());
    return {};
  }
  /// Every entity is saved and made anew.
  void restart() {
    for (auto& [id, one] : entities) {
      const auto text = one->save();
      auto again = kinds.at(id.first).make({id.first, id.second});
      again->load(text, kinds.at(id.first).schema);
      CHECK(again->save() == text);
      one = std::move(again);
    }
  }

  std::vector<effects::published> records;
  std::vector<row_block> blocks;
  time_point now = from_micros(begin_micros);

 private:
  void deliver(const effects::told& what) {
    if (!kinds.contains(what.to.kind)) {
      outside.push_back(what.to.kind + "/" + what.to.key + " " + what.what.type + " " +
                        what.what.body.dump());
      return;
    }
    auto& one = entities[{what.to.kind, what.to.key}];
    if (!one) one = kinds.at(what.to.kind).make(what.to);
    effects out;
    one->handle(what.what, {what.to, now}, out);
    for (auto& t : out.tells) waiting.push_back(std::move(t));
    for (auto& r : out.records) records.push_back(std::move(r));
    for (auto& b : out.blocks) blocks.push_back(std::move(b));
    if (out.answer) answer = *out.answer;
  }

  std::map<std::string, kind_def> kinds;
  std::map<std::pair<std::string, std::string>, std::unique_ptr<entity>> entities;
  std::deque<effects::told> waiting;
  strings outside;
  json answer;
};

json body_of(const order_request& r) {
  return json_of(r);
}

json reports_of(const order_report& r) {
  return {{"reports", {json_of(r)}}, {"symbol", "SPY"}};
}

}  // namespace

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
  CHECK(s.send("portfolio", "cancel_order", {{"order", "p2-1"}})["refused"] == "unknown_order");
  CHECK(s.send("portfolio", "cancel_orders", json::object())["asked"] == 0);
}

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

TEST_CASE("a day begins with a decision or a fill, not with the end of an order at midnight") {
  shard s;
  s.send("portfolio", "open_portfolio", {{"cash", "100000"}});
  CHECK(!s.send("risk", "show", {})["risk"].contains("peak"));
  s.send("risk", "submit_order", body_of(limit_request(1, side::buy, "10", "90")));
  s.send("risk", "submit_order", body_of(limit_request(2, side::buy, "10", "90")));
  const auto day = [&] { return s.send("risk", "show", {})["risk"]["day"].get<std::int64_t>(); };
  const auto today = day();
  constexpr std::int64_t a_day = 86'400 * second;
  for (const auto what : {report_kind::acknowledged, report_kind::expired}) {
    auto late = report(what, "p1-1");
    late.time = from_micros(begin_micros + a_day);
    s.send("portfolio", "order_reports", reports_of(late));
  }
  s.send("portfolio", "cancel_order",
         {{"order", "p1-2"}, {"decided", {{"time", begin_micros + a_day}}}});
  CHECK(day() == today);
  auto late = filled("p1-2", 1, side::buy, "10", "90");
  late.time = from_micros(begin_micros + a_day);
  s.send("portfolio", "order_reports", reports_of(late));
  CHECK(day() == today + 1);
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

TEST_CASE("a session is told its portfolio's venue, whoever opened it") {
  shard s;
  s.send("portfolio", "open_portfolio", {{"cash", "100"}, {"venue", "orders"}});
  CHECK(s.taken().empty());
  s.send("portfolio", "open_portfolio", {{"cash", "200"}, {"venue", "paper"}, {"session", "s1"}});
  CHECK(s.taken() == strings{R"(session/s1 portfolio_opened {"venue":"orders"})"});
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
