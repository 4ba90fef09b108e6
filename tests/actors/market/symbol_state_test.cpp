#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "market_support.hpp"

using namespace troupe;
using namespace troupe::market;
using namespace troupe::market::test;

namespace {

constexpr std::int64_t minute = 60'000'000;

/// A symbol that has seen some of everything.
symbol seasoned(const symbol_rules& rules) {
  symbol s(rules);
  kept_output out;
  market_event ticker;
  ticker.kind = event_kind::ticker;
  ticker.time = 5;
  apply(
      s,
      {bar_event(period::d1, 0, 0, true), trade(minute, 10.25, 1, 5), trade(2 * minute, 12, 0.5, 6),
       trade(2 * minute, 12, 1, 6), trade(2 * minute + 1, 11, 2, 8), quote(minute, 1, 2, 3),
       quote(3 * minute, 3, 4, 9), ticker},
      out, {flat(9, 7)});
  return s;
}

std::string damaged(const nlohmann::json& good, const char* pointer, nlohmann::json value) {
  auto bad = good;
  bad[nlohmann::json::json_pointer(pointer)] = std::move(value);
  return bad.dump();
}

}  // namespace

TEST_CASE("the state is JSON that SQL reads") {
  const symbol_rules rules(options_with({"1m", "1d"}));
  const auto state = nlohmann::json::parse(seasoned(rules).save());
  CHECK(state["trades"] == 3);
  CHECK(state["volume"] == "3.5");
  CHECK(state["last_price"] == "11");
  CHECK(state["last_time"] == 2 * minute + 1);
  CHECK(state["refused"] == 1);
  CHECK(state["refusals"] == nlohmann::json{{"duplicate", 1}});
  REQUIRE(state["open"].size() == 2);
  CHECK(state["open"][0]["period"] == "1m");
  CHECK(state["open"][0]["open_time"] == 2 * minute);
  CHECK(state["open"][0]["high"] == "12");
  CHECK(state["open"][1]["period"] == "1d");
  CHECK(state["quote"]["second"] == 3 * minute);
  CHECK(state["quote"]["bid"] == "3");
  CHECK(state["session"]["volume"] == "3.5");
  CHECK(state["session"]["notional"] == "38.25");
  CHECK(state["ticker"]["volume"] == "7");
  CHECK(state["periods"]["1d"]["source"] == "bars");
}

TEST_CASE("what was saved loads back, also from an empty symbol") {
  const symbol_rules rules(options_with({"1s", "1m", "1d"}, 1500));
  const symbol fresh(rules), old = seasoned(rules);
  for (const auto* s : {&fresh, &old}) {
    symbol again(rules);
    again.load(s->save());
    CHECK(again.save() == s->save());
  }
}

TEST_CASE("damaged states are refused") {
  const symbol_rules rules(options_with({"1m", "1d"}));
  const auto text = seasoned(rules).save();
  const auto good = nlohmann::json::parse(text);
  symbol s(rules);
  for (const auto& state : {std::string(), std::string("null"), std::string("[]"),
                            std::string("{}"), text + "x", text.substr(0, text.size() / 2),
                            std::string(100'000, '['), std::string("{\"a\":\"\xFF\"}")})
    CHECK_THROWS_AS(s.load(state), bad_state);
  const std::pair<const char*, nlohmann::json> damages[] = {{"/trades", 4},
                                                            {"/refused", 0},
                                                            {"/volume", "x"},
                                                            {"/volume", 3},
                                                            {"/last_price", "-1"},
                                                            {"/last_time", "1"},
                                                            {"/last_time", 1e300},
                                                            {"/last_time", INT64_MAX},
                                                            {"/received/trade", 5},
                                                            {"/applied/quote", -1},
                                                            {"/refusals/nonsense", 1},
                                                            {"/refusals", 5},
                                                            {"/quote/second", 1},
                                                            {"/quote/bid", "1e5"},
                                                            {"/session/notional_rest", 100'000'000},
                                                            {"/session/open_time", 7},
                                                            {"/periods/2m", 5},
                                                            {"/periods/1m/source", "moon"},
                                                            {"/periods/1m/source", "none"},
                                                            {"/open/0/open_time", 1},
                                                            {"/open/0/period", "1x"},
                                                            {"/open/0/open_time", 0},
                                                            {"/open/1", 5},
                                                            {"/open", 7},
                                                            {"/plan", "x"},
                                                            {"/ticker/volume", nullptr},
                                                            {"/periods/1m/last_closed", 2 * minute},
                                                            {"/last_id", 1.5}};
  for (const auto& [pointer, value] : damages) {
    CAPTURE(pointer);
    CHECK_THROWS_AS(s.load(damaged(good, pointer, value)), bad_state);
  }
  s.load(text);
  CHECK(s.save() == text);
}

TEST_CASE("periods and indicators may change between lives; no bar comes twice") {
  const symbol_rules both(options_with({"1m", "5m"})), minutes(options_with({"1m"}));
  symbol s(both);
  kept_output out;
  apply(s, {trade(4 * minute, 1, 1), trade(5 * minute, 2, 1), trade(6 * minute, 3, 1)}, out);
  REQUIRE(out.bars.size() == 3);
  symbol fewer(minutes);
  fewer.load(s.save());
  CHECK(fewer.periods().size() == 1);
  apply(fewer, {trade(11 * minute, 4, 1)}, out);
  symbol more(both);
  more.load(fewer.save());
  CHECK(more.periods()[1].open.empty());
  apply(more, {trade(10 * minute, 9, 1), trade(12 * minute, 5, 1), trade(15 * minute, 5, 1)}, out);
  CHECK(refused(more, refusal::late) == 1);
  std::vector<std::pair<period, std::int64_t>> seen;
  for (const auto& b : out.bars) seen.emplace_back(b.length, b.bar.open_time);
  std::sort(seen.begin(), seen.end());
  CHECK(std::adjacent_find(seen.begin(), seen.end()) == seen.end());
  CHECK(seen.back() == std::pair(period::m5, 10 * minute));
}

TEST_CASE("more lateness does not open closed bars again") {
  const symbol_rules strict(options_with({"1m"})), patient(options_with({"1m"}, 3'600'000));
  symbol s(strict);
  kept_output out;
  apply(s, {trade(minute, 1, 1), trade(2 * minute, 2, 1)}, out);
  symbol later(patient);
  later.load(s.save());
  apply(later, {trade(2 * minute - 1, 1, 1)}, out);
  CHECK(refused(later, refusal::late) == 1);
}

TEST_CASE("other indicators start anew, the bars go on") {
  auto options = options_with({"1m"});
  options.indicators = {"sma(3)"};
  const symbol_rules before(options);
  options.indicators = {"sma(2)"};
  const symbol_rules after(options);
  symbol s(before);
  kept_output out;
  apply(s, {trade(0, 10, 1), trade(minute, 20, 1), trade(2 * minute, 30, 1)}, out);
  symbol changed(after);
  changed.load(s.save());
  apply(changed, {trade(3 * minute, 40, 1), trade(4 * minute, 50, 1)}, out);
  REQUIRE(out.bars.size() == 4);
  CHECK(std::isnan(out.bars[2].values.at(0)));
  CHECK(out.bars[3].values.at(0) == doctest::Approx(35));
}
