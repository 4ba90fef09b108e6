#include <doctest/doctest.h>

#include <set>

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

TEST_CASE("an external venue: orders go out, its reports come back once, nonsense is put aside") {
  desk d;
  d.open("p1");
  CHECK(d.submit("p1", request()) == "approved");
  d.fill("p1", "p1-1", "99.5");
  d.run.send("fills", {{"p1", "{"},
                       {"p1", R"({"what": "filled", "order": "p1-1"})"},
                       {"p2", filled("p1-1", "x-2", "99")},
                       {"p1", filled("p1-1", "x-3", "99")},
                       {"p1", filled("p1-7", "x-4", "99")}});
  words reasons;
  wait_until("the dead letters", std::chrono::seconds(30), [&] {
    reasons.clear();
    for (const auto& letter : d.run.read("dead-letter")) reasons.push_back(letter["reason"]);
    return reasons.size() == 5;
  });
  std::ranges::sort(reasons);
  CHECK(reasons == words{"beyond_quantity", "malformed_json", "malformed_report", "unknown_order",
                         "wrong_key"});
  const auto orders = d.run.read("orders");
  REQUIRE(orders.size() == 1);
  CHECK(orders[0]["type"] == "new_order");
  CHECK(orders[0]["body"]["id"] == "p1-1");
  CHECK(orders[0]["body"]["type"] == "limit");
  CHECK(d.run.sql("select status from orders") == "filled");
  CHECK(d.run.sql("select trim_scale(cash)::text from portfolios") == "9005");
}
