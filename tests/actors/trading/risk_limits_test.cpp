#include <doctest/doctest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "actors/trading/risk_limits.hpp"
#include "trading_support.hpp"

using namespace troupe;
using namespace troupe::trading;
using namespace troupe::trading::test;
using nlohmann::json;

namespace {

risk_limits limits_of(const json& document, std::string_view portfolio) {
  faults wrong;
  const auto made = parse_risk_limits(document, portfolio, wrong);
  INFO(to_string(wrong));
  REQUIRE(made.has_value());
  return *made;
}

}  // namespace

TEST_CASE("limits: defaults, a portfolio's own over them, a symbol's own over any symbol's") {
  const auto document = json::parse(R"({
    "default": {
      "daily_loss_max": "1000", "orders_max": 10,
      "symbols": {"*": {"price_step": "0.01", "position_max": "100"},
                  "SPY": {"position_max": "200"}}},
    "portfolios": {
      "p1": {"daily_loss_max": null, "open_orders_max": 5,
             "symbols": {"SPY": {"short_max": "7"}, "IBM": {"position_max": null}}},
      "p2": {"symbols": {"*": null}}}})");
  const auto other = limits_of(document, "p9");
  CHECK(other.daily_loss_max == dec("1000"));
  CHECK(other.orders_max == 10);
  CHECK(other.find("SPY")->position_max == dec("200"));
  CHECK(other.find("SPY")->rules.price_step == dec("0.01"));
  CHECK(other.find("AAPL")->position_max == dec("100"));

  const auto own = limits_of(document, "p1");
  CHECK_FALSE(own.daily_loss_max.has_value());
  CHECK(own.open_orders_max == 5);
  CHECK(own.find("SPY")->short_max == dec("7"));
  CHECK(own.find("SPY")->position_max == dec("200"));
  CHECK_FALSE(own.find("IBM")->position_max.has_value());
  CHECK(own.find("IBM")->rules.price_step == dec("0.01"));

  const auto named = limits_of(document, "p2");
  CHECK(named.find("SPY") != nullptr);
  CHECK(named.find("AAPL") == nullptr);
}

TEST_CASE("limits go to JSON and back unchanged") {
  const auto document = json::parse(R"({
    "default": {"gross_exposure_max": "5", "daily_loss_max": "0", "drawdown_max_percent": "12.5",
      "open_orders_max": 0, "orders_max": 3, "orders_window_ms": 60000, "cash_required": false,
      "market_reserve_percent": "0", "fee_reserve_bps": "7.5",
      "symbols": {"*": {"position_max": "1", "price_collar_percent": "5"},
                  "SPY": {"position_max": null, "tradable": false, "quantity_step": "0.5"}}}})");
  const auto limits = limits_of(document, "p1");
  faults wrong;
  const auto again = parse_limits(to_json(limits), "limits", wrong);
  REQUIRE(again.has_value());
  CHECK(*again == limits);
  CHECK_FALSE(again->find("SPY")->position_max.has_value());
}

TEST_CASE("everything that is wrong with limits is told at once, each where it stands") {
  const auto document = json::parse(R"({
    "default": {"daily_loss_max": -1, "orders_max": "many", "typo": 1, "market_reserve_percent": "101",
      "symbols": {"SPY": {"price_step": "0", "quantity_min": "5", "quantity_max": "4"}, "IBM": 3}},
    "portfolios": {"p1": {"cash_required": "yes", "symbols": []}, "p2": 4},
    "more": {}})");
  faults wrong;
  CHECK_FALSE(parse_risk_limits(document, "p1", wrong).has_value());
  std::vector<std::string> fields;
  for (const auto& f : wrong) fields.push_back(f.field + " = " + f.value);
  std::sort(fields.begin(), fields.end());
  CHECK(fields == strings{"default.daily_loss_max = -1", "default.market_reserve_percent = \"101\"",
                          "default.orders_max = \"many\"", "default.symbols.IBM = 3",
                          "default.symbols.SPY.price_step = \"0\"",
                          "default.symbols.SPY.quantity_min = \"5\"", "default.typo = 1",
                          "more = {}", "portfolios.p1.cash_required = \"yes\"",
                          "portfolios.p1.symbols = []", "portfolios.p2 = 4"});
  for (const auto& f : wrong) CHECK_FALSE(f.allowed.empty());
}

TEST_CASE("names that no portfolio or symbol can have are told, and nulls that take nothing away") {
  faults wrong;
  parse_risk_limits(json::parse(R"({
    "default": {"symbols": {"": {}, "a\\b": {}, "BRK.B": {}}},
    "portfolios": {"p 1": {"open_order_max": null, "symbols": {"*": {"short_mx": null}}},
                   "p-1": {"open_orders_max": null, "symbols": {"*": {"short_max": null}}}}})"),
                    "p1", wrong);
  strings told;
  for (const auto& f : wrong) told.push_back(f.field + " = " + f.value);
  std::sort(told.begin(), told.end());
  CHECK(told == strings{R"(default.symbols = "")", R"(default.symbols = "a\\b")",
                        R"(portfolios = "p 1")", "portfolios.p 1.open_order_max = null",
                        "portfolios.p 1.symbols.*.short_mx = null"});
}

TEST_CASE("no document makes the parser throw") {
  for (const auto* text :
       {"null", "1", "[]", "{}", R"({"default":1})", R"({"default":{},"portfolios":1})",
        R"({"default":{"symbols":{"*":1}}})", R"({"default":{"orders_max":18446744073709551615}})",
        R"({"default":{"daily_loss_max":99999999999999999999}})"}) {
    CAPTURE(text);
    faults wrong;
    CHECK_FALSE(parse_risk_limits(json::parse(text), "p1", wrong).has_value());
    CHECK_FALSE(wrong.empty());
  }
}

TEST_CASE("the limits that come with the program are in order") {
  std::ifstream file(TROUPE_CONFIG "/risk_limits.json");
  REQUIRE(file.good());
  const auto limits = limits_of(json::parse(file), "any");
  CHECK(limits.find("SPY") != nullptr);
}
