#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "actors/market/market_tables.hpp"
#include "actors/market/symbol_entity.hpp"
#include "market_support.hpp"

using namespace troupe;
using namespace troupe::market;
using namespace troupe::market::test;

namespace {

constexpr std::int64_t minute = 60'000'000;

std::unique_ptr<entity> make(const market_options& options) {
  return make_symbol_kind(options).make({"symbol", "SPY"});
}

void absorb(entity& to, const std::vector<market_event>& events, effects& out) {
  std::size_t done = 0;
  to.absorb(market_batch(events, {}), done, out);
  CHECK(done == events.size());
}

const row_block* block_of(const effects& out, const table_def& table) {
  for (const auto& b : out.blocks)
    if (&b.table() == &table) return &b;
  return nullptr;
}

}  // namespace

TEST_CASE("a closed bar becomes a row and two records") {
  auto options = options_with({"1m"});
  options.indicators = {"sma(2)"};
  auto s = make(options);
  effects out;
  absorb(*s, {trade(0, 10.5, 1), trade(minute, 20, 1)}, out);
  const auto* bars = block_of(out, bar_table);
  REQUIRE(bars != nullptr);
  REQUIRE(bars->rows() == 1);
  CHECK(std::get<std::string>(bars->column(0)[0]) == "SPY");
  CHECK(std::get<std::string>(bars->column(1)[0]) == "1m");
  CHECK(std::get<std::int64_t>(bars->column(2)[0]) == 0);
  CHECK(std::get<wide>(bars->column(3)[0]) == units(10.5).raw());
  CHECK(std::get<std::int64_t>(bars->column(8)[0]) == 1);
  CHECK(std::get<std::string>(bars->column(10)[0]) == "{null}");
  const auto* plan = block_of(out, indicator_plan_table);
  REQUIRE(plan != nullptr);
  CHECK(std::get<std::int64_t>(plan->column(0)[0]) == std::get<std::int64_t>(bars->column(9)[0]));
  CHECK(std::get<std::string>(plan->column(1)[0]) == R"j({"sma_2"})j");
  REQUIRE(out.records.size() == 2);
  CHECK(out.records[0].topic == "market.bars");
  CHECK(out.records[0].key == "SPY");
  CHECK(
      out.records[0].payload ==
      R"({"symbol":"SPY","period":"1m","open_time":0,"open":"10.5","high":"10.5","low":"10.5","close":"10.5","volume":"1","trades":1})");
  CHECK(out.records[1].topic == "market.indicators");
  CHECK(out.records[1].payload ==
        R"j({"symbol":"SPY","period":"1m","open_time":0,"values":{"sma_2":null}})j");
  effects later;
  absorb(*s, {trade(2 * minute, 20, 1)}, later);
  CHECK(later.records.at(1).payload ==
        R"j({"symbol":"SPY","period":"1m","open_time":60000000,"values":{"sma_2":15.25}})j");
  CHECK(block_of(later, indicator_plan_table) == nullptr);
}

TEST_CASE("an ended second becomes a row; events without an effect leave none") {
  auto s = make(options_with({"1m"}));
  effects out;
  absorb(*s, {quote(1, 1, 2), trade(5, 1, 1)}, out);
  CHECK_FALSE(out.has_output());
  absorb(*s, {quote(1'000'000, 3, 4)}, out);
  const auto* seconds = block_of(out, top_of_book_table);
  REQUIRE(seconds != nullptr);
  CHECK(std::get<std::int64_t>(seconds->column(1)[0]) == 0);
  CHECK(std::get<wide>(seconds->column(2)[0]) == units(1).raw());
  CHECK(std::get<wide>(seconds->column(5)[0]) == units(2).raw());
  CHECK(out.records.empty());
}

TEST_CASE("show answers with the state; the state goes through save and load") {
  auto s = make(options_with({"1m"}));
  effects out;
  absorb(*s, {trade(5, 1, 1)}, out);
  const entity_id self{"symbol", "SPY"};
  s->handle({"show", {}}, {self, time_point{}}, out);
  REQUIRE(out.answer.has_value());
  CHECK((*out.answer)["trades"] == 1);
  auto again = make(options_with({"1m"}));
  again->load(s->save(), symbol_schema);
  CHECK(again->save() == s->save());
  CHECK_THROWS_AS(again->load(s->save(), symbol_schema + 1), bad_state);
  s->handle({"dance", {}}, {self, time_point{}}, out);
  CHECK((*out.answer)["error"] == "unknown_message");
}
