#include <doctest/doctest.h>

#include <set>

#include "actors/trading/portfolio.hpp"
#include "actors/trading/verdict.hpp"
#include "tests/integration/trading_run.hpp"

using namespace troupe::test;
using nlohmann::json;

namespace {

using words = std::vector<std::string>;

constexpr std::int64_t noon = 1'700'049'600'000'000;  // 2023-11-15 12:00 UTC
constexpr std::int64_t second = 1'000'000;

const json limits{{"default",
                   {{"symbols",
                     {{"SPY", {{"price_step", "0.01"}, {"quantity_step", "1"}}},
                      {"OLD", {{"tradable", false}}}}}}},
                  {"portfolios",
                   {{"sizes",
                     {{"symbols",
                       {{"SPY",
                         {{"quantity_min", "2"},
                          {"quantity_max", "100"},
                          {"notional_min", "50"},
                          {"notional_max", "5000"},
                          {"position_max", "90"},
                          {"price_collar_percent", "10"}}}}}}},
                    {"gross", {{"gross_exposure_max", "1000"}}},
                    {"open", {{"open_orders_max", 1}}},
                    {"rate", {{"orders_max", 1}}},
                    {"day", {{"daily_loss_max", "100"}}},
                    {"draw", {{"drawdown_max_percent", "1"}}}}}};

/// An order by hand; `number` grows with every call.
json request(const json& changes = json::object(), const char* last = "100",
             std::int64_t at = noon) {
  static int number = 0;
  json r{{"session", "by-hand"}, {"number", ++number},       {"symbol", "SPY"},
         {"side", "buy"},        {"type", "limit"},          {"amount", "10"},
         {"limit", "100"},       {"decided", {{"time", at}}}};
  if (*last != '\0') r["decided"]["last"] = last;
  r.merge_patch(changes);
  return r;
}

std::string filled(const std::string& order, const std::string& id, const char* price) {
  return json{{"what", "filled"},
              {"order", order},
              {"time", noon},
              {"trade",
               {{"id", id},
                {"order", order},
                {"symbol", "SPY"},
                {"side", "buy"},
                {"quantity", "10"},
                {"price", price},
                {"time", noon}}}}
      .dump();
}

class desk {
 public:
  desk() : run(1, limits) { run.start(); }

  void open(const std::string& portfolio, const char* cash = "10000") {
    CHECK(run.ask({"portfolio", "open", portfolio, "--cash", cash, "--venue", "orders"})["cash"] ==
          cash);
  }
  /// The refusal's code, or `approved`.
  std::string submit(const std::string& portfolio, const json& what) {
    const auto answer = run.ask({"order", "submit", "--portfolio", portfolio, what.dump()});
    const auto code = answer.value("error", "approved");
    if (answer.contains("number") || answer.contains("error")) seen.insert(code);
    return code;
  }
  /// Fills the order by the topic `fills`, twice.
  void fill(const std::string& portfolio, const std::string& order, const char* price) {
    const auto report = filled(order, "x-1", price);
    run.send("fills", {{portfolio, report}, {portfolio, report}});
    wait_until("the fill", std::chrono::seconds(30), [&] {
      return run.sql("select count(*) from fills where \"order\" = '" + order + "'") == "1";
    });
  }

  trading_run run;
  std::set<std::string> seen;
};

}  // namespace

TEST_CASE("every code of the risk check, by command line and topic") {
  desk d;
  const json market{{"type", "market"}, {"limit", nullptr}};

  d.open("p1");
  const auto first = request();
  CHECK(d.submit("p1", first) == "approved");
  CHECK(d.submit("p1", first) == "duplicate");
  CHECK(d.submit("p1", request({{"limit", nullptr}})) == "malformed");
  CHECK(d.run.ask({"risk", "halt", "p1", "--by", "test"})["state"] == "halted");
  CHECK(d.submit("p1", request()) == "halted");
  CHECK(d.run.ask({"risk", "reduce", "p1", "--by", "test"})["state"] == "reducing");
  CHECK(d.submit("p1", request()) == "reducing");
  CHECK(d.run.ask({"risk", "resume", "p1", "--by", "test"})["state"] == "active");
  CHECK(d.submit("p1", request({{"symbol", "XYZ"}})) == "unknown_symbol");
  CHECK(d.submit("p1", request({{"symbol", "OLD"}})) == "untradable_symbol");
  CHECK(d.submit("p1", request({{"in_force", "gtd"}, {"good_till", noon - second}})) ==
        "good_till_past");
  CHECK(d.submit("p1", request({{"limit", "100.001"}})) == "price_precision");
  CHECK(d.submit("p1", request({{"amount", "10.5"}})) == "quantity_precision");
  CHECK(d.submit("p1", request(market, "")) == "no_price");
  CHECK(d.submit("p1", request({{"side", "sell"}, {"reduce_only", true}})) == "reduce_only");
  CHECK(d.submit("p1", request({{"amount", "1000"}})) == "cash");
  CHECK(d.submit("p1", request({{"side", "sell"}})) == "position_limit");
  CHECK(d.submit("nothing", request({{"size_by", "percent_of_equity"}})) == "no_equity");

  d.open("sizes");
  CHECK(d.submit("sizes", request({{"limit", "150"}})) == "price_collar");
  CHECK(d.submit("sizes", request({{"amount", "1"}})) == "quantity_min");
  CHECK(d.submit("sizes", request({{"amount", "101"}})) == "quantity_max");
  CHECK(d.submit("sizes", request({{"amount", "2"}, {"limit", "20"}}, "20")) == "notional_min");
  CHECK(d.submit("sizes", request({{"amount", "60"}})) == "notional_max");
  d.open("gross");
  CHECK(d.submit("gross", request({{"amount", "11"}})) == "gross_exposure");
  d.open("open");
  CHECK(d.submit("open", request()) == "approved");
  CHECK(d.submit("open", request()) == "open_orders");
  d.open("rate");
  CHECK(d.submit("rate", request()) == "approved");
  CHECK(d.submit("rate", request()) == "order_rate");
  CHECK(d.submit("rate", request(json::object(), "100", noon + second)) == "approved");

  for (const auto& [portfolio, code] :
       {std::pair{"day", "daily_loss"}, std::pair{"draw", "drawdown"}}) {
    d.open(portfolio);
    CHECK(d.submit(portfolio, request()) == "approved");
    d.fill(portfolio, std::string(portfolio) + "-1", "100");
    CHECK(d.submit(portfolio, request({{"limit", "80"}}, "80", noon + second)) == code);
  }

  for (const auto& name : troupe::trading::names_of<troupe::trading::risk_refusal>::list)
    if (name != "none") CHECK_MESSAGE(d.seen.contains(std::string(name)), std::string(name));
  CHECK(d.run.sql("select count(*) from risk_audit where portfolio = 'p1' and by = 'test'") == "3");
  CHECK(d.run.sql("select count(*) from books where cash_difference <> 0 or position_difference <> "
                  "0") == "0");
}

TEST_CASE("an operator halts: open orders stay and are told of, or are canceled") {
  desk d;
  d.open("p1");
  const auto say = [&d](std::vector<std::string> words) { return d.run.cli(std::move(words)); };
  CHECK(say({"risk", "halt", "p1", "--cancel-orders"}).output == "trading of p1 is halted\n");
  CHECK(say({"risk", "resume", "p1"}).output == "trading of p1 is active\n");
  for (int i = 0; i < 3; ++i) CHECK(d.submit("p1", request()) == "approved");
  CHECK(say({"risk", "halt", "p1"}).output ==
        "trading of p1 is halted; 3 open orders stay, --cancel-orders cancels them\n");
  CHECK(d.run.ask({"risk", "reduce", "p1", "--cancel-orders"}) ==
        json{{"state", "reducing"}, {"open_orders", 3}, {"cancel_orders", true}});
  CHECK(d.run.sql("select count(*) from orders where cancel_asked") == "3");
  wait_until("the cancels", std::chrono::seconds(30), [&] {
    return std::ranges::count(d.run.read("orders"), "cancel_order",
                              [](const json& r) { return r.value("type", ""); }) == 3;
  });
  const auto canceled = [](const char* order) {
    return json{{"what", "canceled"}, {"order", order}, {"time", noon}}.dump();
  };
  d.run.send("fills", {{"p1", canceled("p1-1")}, {"p1", canceled("p1-2")}});
  wait_until("their ends", std::chrono::seconds(30), [&] {
    return d.run.sql("select count(*) from orders where status = 'canceled'") == "2";
  });
  CHECK(say({"risk", "halt", "p1", "--cancel-orders"}).output ==
        "trading of p1 is halted; the venue is asked to cancel 1 open order\n");
  CHECK(say({"risk", "reduce", "p1"}).output ==
        "trading of p1 is reducing; 1 open order stays, --cancel-orders cancels it\n");
  CHECK(d.run.sql("select count(*) from risk_audit where what = 'open_orders'") == "2");
}

TEST_CASE("odd names and changes are refused by name, by command line and topic") {
  desk d;
  d.open("p1");
  struct row {
    words command;
    const char* told;
    int exit_code = 1;
  };
  constexpr int usage = 2;
  const auto order = request().dump();
  const row table[]{
      {{"risk", "set", "p1", "symbols..x=1"}, "symbols must have 1 to 32 characters"},
      {{"risk", "set", "p1", "symbols..short_max=1"}, "symbols must have 1 to 32 characters"},
      {{"risk", "set", "p1", "symbols.~2.x=1"}, "limits.symbols.~2.x = 1: is not known here"},
      {{"risk", "set", "p1", "symbols=1"}, "limits.symbols = 1: must be an object"},
      {{"risk", "set", "p1", "symbols=1", "symbols.SPY.x=1"}, "contradicts another", usage},
      {{"risk", "set", "p1", "symbols.SPY=1", "symbols.SPY.x=1"}, "contradicts another", usage},
      {{"risk", "set", "p1", "open_orders_max.x=1"}, "limits.open_orders_max.x = 1: is not known"},
      {{"risk", "set", "p1", "~=1"}, "limits.~ = 1: is not known here"},
      {{"risk", "set", "p1", "open_order_max=null"}, "limits.open_order_max = null: is not known"},
      {{"risk", "set", "p1", "open_orders_max="}, "must be a whole number from 0 to"},
      {{"risk", "set", "p1", "\xFF=1"}, "argument 4 of the command line is not UTF-8", usage},
      {{"risk", "set", "p1", "open_orders_max"}, "write LIMIT=VALUE", usage},
      {{"order", "cancel", "p1"}, "an order's id is PORTFOLIO-NUMBER", usage},
      {{"portfolio", "show", "p3"}, "unknown_portfolio: there is no portfolio p3"},
      {{"risk", "halt", "p 1"}, "bad_name: the name of a portfolio must be 1 to 64 characters"},
      {{"risk", "show", "p/1"}, "bad_name: the name of a portfolio must be 1 to 64 characters"},
      {{"portfolio", "open", "p 1", "--cash", "1"}, "bad_name: the name of a portfolio must be"},
      {{"order", "cancel", "p 1-1"}, "bad_name: the name of a portfolio must be 1 to 64"},
      {{"order", "submit", "--portfolio", "p*1", order}, "bad_name: the name of a portfolio"},
  };
  for (const auto& [command, told, exit_code] : table) {
    const auto said = d.run.cli(command);
    CHECK_MESSAGE(said.exit_code == exit_code, said.output);
    CHECK_MESSAGE(said.output.find(told) != std::string::npos, said.output);
    CHECK_MESSAGE(said.output.find("json") == std::string::npos, said.output);
  }
  CHECK(d.run.ask({"risk", "set", "p1", "symbols.BRK.B.short_max=7",
                   "symbols.EUR=X.short_max=8"})["limits"]["symbols"]["EUR=X"]["short_max"] == "8");
  const auto shown = d.run.ask({"risk", "show", "p1"});
  CHECK(shown["risk"]["limits"]["symbols"]["BRK.B"]["short_max"] == "7");
  CHECK(d.run.sql("select count(*) from risk_audit") == "1");
  CHECK(d.run.sql("select string_agg(portfolio, ',') from portfolios") == "p1");

  d.run.send("fills", {{"p 1", filled("p 1-1", "x-1", "99")}});
  wait_until("the dead letter", std::chrono::seconds(30),
             [&] { return d.run.read("dead-letter").size() == 1; });
  CHECK(d.run.read("dead-letter")[0]["reason"] == "bad_name");
}

TEST_CASE("every code of a portfolio, by command line and topic") {
  desk d;
  std::set<std::string> seen;
  const auto cancel = [&](const std::string& order) {
    const auto code = d.run.ask({"order", "cancel", order}).value("error", "none");
    seen.insert(code);
    return code;
  };
  const auto ended = [&](const char* portfolio, const char* count) {
    wait_until("the ends of orders", std::chrono::seconds(60), [&] {
      return d.run.sql("select count(*) from orders where status = 'canceled' and portfolio = '" +
                       std::string(portfolio) + "'") == count;
    });
  };
  d.open("p1");
  CHECK(d.run.ask({"portfolio", "open", "p1", "--cash", "10000", "--venue", "orders"})["cash"] ==
        "10000");
  CHECK(d.run.ask({"portfolio", "open", "p1", "--cash", "5"})["error"] == "already_open");
  CHECK(d.submit("p1", request()) == "approved");
  CHECK(cancel("p1-2") == "unknown_order");
  CHECK(cancel("p1-1") == "none");
  CHECK(cancel("p1-1") == "repeated");
  d.run.send("fills",
             {{"p1", json{{"what", "canceled"}, {"order", "p1-1"}, {"time", noon}}.dump()}});
  ended("p1", "1");
  CHECK(cancel("p1-1") == "already_final");

  // The paper venue's portfolios keep the last 20 ended orders for late reports.
  CHECK(d.run.ask({"portfolio", "open", "p2", "--cash", "100000"})["venue"] == "paper");
  for (int i = 0; i < 21; ++i) CHECK(d.submit("p2", request()) == "approved");
  CHECK(d.run.ask({"risk", "halt", "p2", "--cancel-orders"})["open_orders"] == 21);
  ended("p2", "21");
  CHECK(cancel("p2-1") == "forgotten_order");
  CHECK(cancel("p2-2") == "already_final");

  auto other_side = json::parse(filled("p1-1", "x-1", "99"));
  other_side["trade"]["side"] = "sell";
  auto too_much = json::parse(filled("p1-1", "x-2", "99"));
  too_much["trade"]["quantity"] = "11";
  d.run.send(
      "fills",
      {{"p1", other_side.dump()}, {"p1", too_much.dump()}, {"p2", filled("p2-1", "x-3", "99")}});
  wait_until("the dead letters", std::chrono::seconds(30),
             [&] { return d.run.read("dead-letter").size() == 3; });
  for (const auto& letter : d.run.read("dead-letter"))
    seen.insert(letter["reason"].get<std::string>());
  for (const auto& name : troupe::trading::names_of<troupe::trading::portfolio_refusal>::list)
    CHECK_MESSAGE(seen.contains(std::string(name)), std::string(name));
}

TEST_CASE("limits, portfolios and orders as the command line tells them, as text and as JSON") {
  desk d;
  d.open("p1");
  d.open("p2", "0.1");
  CHECK(d.submit("p1", request()) == "approved");
  d.fill("p1", "p1-1", "99.00000001");
  CHECK(d.submit("p1", request({{"limit", "99"}})) == "approved");
  const auto text = [&d](words command) {
    const auto said = d.run.cli(std::move(command));
    CHECK_MESSAGE(said.exit_code == 0, said.output);
    return said.output;
  };
  const auto has = [](const std::string& said, const words& all) {
    for (const auto& one : all) CHECK_MESSAGE(said.find(one) != std::string::npos, said);
  };

  const auto all = d.run.ask({"portfolio", "list"});
  REQUIRE(all.size() == 2);
  CHECK(all[0]["portfolio"] == "p1");
  CHECK(all[0]["venue"] == "orders");
  CHECK(all[0]["cash"] == "9009.9999999");
  CHECK(all[0]["orders"] == 2);
  CHECK(all[1]["cash"] == "0.1");
  has(text({"portfolio", "list"}), {"portfolio  venue ", "\np1 ", " 9009.9999999 ", "\np2 "});
  const auto one = d.run.ask({"portfolio", "show", "p1"});
  CHECK(one["cash"] == "9009.9999999");
  REQUIRE(one["positions"].size() == 1);
  CHECK(one["positions"][0]["symbol"] == "SPY");
  CHECK(one["positions"][0]["quantity"] == "10");
  CHECK(one["positions"][0]["fills"] == 1);
  has(text({"portfolio", "show", "p1"}), {"9009.9999999", "symbol  quantity", "\nSPY     10 "});

  const auto orders = d.run.ask({"order", "list", "--portfolio", "p1"});
  REQUIRE(orders.size() == 2);
  CHECK(orders[0]["id"] == "p1-1");
  CHECK(orders[0]["status"] == "filled");
  CHECK(orders[0]["limit_price"] == "100");
  CHECK(orders[1]["limit_price"] == "99");
  CHECK(d.run.ask({"order", "list", "--session", "by-hand", "--open"}).size() == 1);
  CHECK(d.run.ask({"order", "list", "--limit", "1"}).size() == 1);
  CHECK(d.run.ask({"order", "list", "--portfolio", "p2"}) == json::array());
  has(text({"order", "list", "--limit", "1"}), {"the first 1, by portfolio and number"});
  CHECK(text({"order", "list", "--limit", "2"}).find("--limit") == std::string::npos);
  has(text({"order", "list"}), {"id    session  symbol", "\np1-1  by-hand  SPY", "filled"});
  CHECK(text({"order", "cancel", "p1-2"}) == "the venue is asked to cancel p1-2\n");
  CHECK(d.run.ask({"order", "list", "--open"})[0]["cancel_asked"] == true);

  CHECK(text({"risk", "set", "p1", "open_orders_max=5", "--by", "anna", "--reason", "a test"}) ==
        "the limits of p1 are set\n");
  CHECK(d.run.ask({"risk", "show", "p1"})["risk"]["limits"]["open_orders_max"] == 5);
  has(text({"risk", "show", "p1"}), {"\"open_orders_max\": 5", "\"trading_state\": \"active\""});
  CHECK(d.run
            .ask({"risk", "set", "p1", "open_orders_max=null", "--by",
                  "anna"})["limits"]["open_orders_max"]
            .is_null());
  CHECK(d.run.sql("select string_agg(what || ' ' || by || ' ' || coalesce(reason, '-'), ',' order "
                  "by number) from risk_audit") == "limits anna a test,limits anna -");
}

TEST_CASE("who halts a portfolio that is not there is told") {
  desk d;
  d.open("p1");
  const std::string warning =
      "\nno portfolio p2 is open; `troupe portfolio list` has those that are\n";
  CHECK(d.run.cli({"risk", "halt", "p2"}).output == "trading of p2 is halted" + warning);
  CHECK(d.run.cli({"risk", "set", "p2", "open_orders_max=5"}).output ==
        "the limits of p2 are set" + warning);
  CHECK(d.run.cli({"risk", "set", "p1", "open_orders_max=5"}).output ==
        "the limits of p1 are set\n");
}

TEST_CASE("an order by hand under a session's name is refused, and the session trades on") {
  desk d;
  d.open("p1");
  const auto refused = d.submit("p1", request({{"session", "s1"}, {"number", 1'000'000}}));
  CHECK(refused == "malformed");
  CHECK(d.run.sql("select count(*) from risk_verdicts") == "0");
  CHECK(d.run.ask({"session", "create", "--name", "by-hand", "--portfolio", "p1", "--strategy",
                   "buy_and_hold", "--symbols", "SPY"})["error"] == "bad_name");
  CHECK(d.run.ask({"session", "create", "--name", "s1", "--portfolio", "p1", "--strategy",
                   "buy_and_hold", "--symbols", "SPY", "--from", "beginning"})["phase"] ==
        "created");
  CHECK(d.run.ask({"session", "start", "s1"})["phase"] == "running");
  write_file(d.run.path("SPY.csv"), ticks_csv("SPY", 40, 7));
  const auto fed = d.run.cli({"feed", d.run.path("SPY.csv")});
  REQUIRE_MESSAGE(fed.exit_code == 0, fed.output);
  wait_until("its request", std::chrono::seconds(60), [&] {
    return d.run.sql("select verdict from risk_verdicts where session = 's1' and request = 1") ==
           "approved";
  });
}

TEST_CASE("an external venue: orders go out, its reports come back once, nonsense is put aside") {
  desk d;
  d.open("p1");
  CHECK(d.submit("p1", request()) == "approved");
  d.fill("p1", "p1-1", "99.5");
  d.run.send("fills",
             {{"p1", "{"},
              {"p1", R"({"what": )" + std::string(400'000, '[') + std::string(400'000, ']') + '}'},
              {"p1", R"({"what": "filled", "order": "p1-1"})"},
              {"p2", filled("p1-1", "x-2", "99")},
              {"p1", filled("p1-1", "x-3", "99")},
              {"p1", filled("p1-7", "x-4", "99")}});
  words reasons;
  wait_until("the dead letters", std::chrono::seconds(30), [&] {
    reasons.clear();
    for (const auto& letter : d.run.read("dead-letter")) reasons.push_back(letter["reason"]);
    return reasons.size() == 6;
  });
  std::ranges::sort(reasons);
  CHECK(reasons == words{"beyond_quantity", "malformed_json", "malformed_json", "malformed_report",
                         "unknown_order", "wrong_key"});
  const auto orders = d.run.read("orders");
  REQUIRE(orders.size() == 1);
  CHECK(orders[0]["type"] == "new_order");
  CHECK(orders[0]["body"]["id"] == "p1-1");
  CHECK(orders[0]["body"]["type"] == "limit");
  CHECK(d.run.sql("select status from orders") == "filled");
  CHECK(d.run.sql("select trim_scale(cash)::text from portfolios") == "9005");
}
