#include <doctest/doctest.h>

#include "market_support.hpp"

using namespace troupe;
using namespace troupe::market;
using namespace troupe::market::test;

namespace {

constexpr std::int64_t second = 1'000'000, minute = 60 * second, day = 86'400 * second;

}  // namespace

TEST_CASE("a minute bar closes when a trade reaches its end; gaps stay gaps") {
  const symbol_rules rules(options_with({"1m"}));
  symbol s(rules);
  kept_output out;
  apply(
      s,
      {trade(10 * minute + 5, 10, 1), trade(10 * minute + 7, 12, 2), trade(11 * minute - 1, 9, 3)},
      out);
  CHECK(out.bars.empty());
  apply(s, {trade(11 * minute, 11, 4), trade(14 * minute, 8, 5)}, out);
  REQUIRE(out.bars.size() == 2);
  const auto& first = out.bars[0].bar;
  CHECK(first.open_time == 10 * minute);
  CHECK(first.open == units(10));
  CHECK(first.high == units(12));
  CHECK(first.low == units(9));
  CHECK(first.close == units(9));
  CHECK(first.volume == units(6).raw());
  CHECK(first.trades == 3);
  CHECK(out.bars[1].bar.open_time == 11 * minute);
  REQUIRE(s.periods()[0].open.size() == 1);
  CHECK(s.periods()[0].open[0].open_time == 14 * minute);
}

TEST_CASE("all periods close from one trade, shortest first") {
  const symbol_rules rules(options_with({"1d", "1s", "1h", "5m", "1m", "15m", "1m"}));
  symbol s(rules);
  kept_output out;
  apply(s, {trade(day - 1, 10, 1), trade(day, 11, 1)}, out);
  REQUIRE(out.bars.size() == 6);
  for (std::size_t i = 0; i < 6; ++i) {
    CHECK(out.bars[i].length == static_cast<period>(i));
    CHECK(out.bars[i].bar.open_time == day - length_of(static_cast<period>(i)));
  }
}

TEST_CASE("trade ids: the last one again is a duplicate, below is out of order") {
  const symbol_rules rules(options_with({"1m"}));
  symbol s(rules);
  kept_output out;
  apply(
      s,
      {trade(1, 1, 1, 5), trade(2, 2, 1, 5), trade(3, 3, 1, 4), trade(4, 4, 1, 6), trade(5, 5, 1)},
      out);
  CHECK(refused(s, refusal::duplicate) == 1);
  CHECK(refused(s, refusal::out_of_order) == 1);
  CHECK(s.counters().applied[0] == 3);
  CHECK(s.periods()[0].open[0].volume == units(3).raw());
  CHECK(adds_up(s.counters()));
}

TEST_CASE("without lateness a trade may be older than the newest, but not than its open bar") {
  const symbol_rules rules(options_with({"1m", "1h"}));
  symbol s(rules);
  kept_output out;
  apply(s, {trade(minute + 10, 10, 1), trade(minute + 5, 8, 1), trade(minute - 1, 7, 1)}, out);
  CHECK(refused(s, refusal::late) == 1);
  const auto& bar = s.periods()[0].open.at(0);
  CHECK(bar.open == units(8));
  CHECK(bar.close == units(10));
  CHECK(s.last()->price == units(10));
  CHECK(s.periods()[1].open.at(0).trades == 2);
}

TEST_CASE("with lateness several bars are open, and close that much later") {
  const symbol_rules rules(options_with({"1s"}, 2000));
  symbol s(rules);
  kept_output out;
  apply(s, {trade(10 * second, 10, 1), trade(12 * second, 12, 1), trade(11 * second, 11, 1)}, out);
  CHECK(out.bars.empty());
  REQUIRE(s.periods()[0].open.size() == 3);
  apply(s, {trade(13 * second - 1, 13, 1)}, out);
  CHECK(out.bars.empty());
  apply(s, {trade(13 * second, 13, 1), trade(11 * second - 1, 1, 1), trade(11 * second, 14, 1)},
        out);
  REQUIRE(out.bars.size() == 1);
  CHECK(out.bars[0].bar.open_time == 10 * second);
  CHECK(refused(s, refusal::late) == 1);
  CHECK(s.periods()[0].open.at(0).trades == 2);
}

TEST_CASE("the session is the UTC day of the newest trade") {
  const symbol_rules rules(options_with({"1d"}, 1000));
  symbol s(rules);
  kept_output out;
  apply(
      s,
      {trade(day - 5, 10, 1), trade(day + 1, 20, 2), trade(day - 4, 30, 4), trade(day + 2, 15, 1)},
      out);
  REQUIRE(s.session());
  CHECK(s.session()->day.open_time == day);
  CHECK(s.session()->day.open == units(20));
  CHECK(s.session()->day.low == units(15));
  CHECK(s.session()->day.high == units(20));
  CHECK(s.session()->day.trades == 2);
  CHECK(s.session()->notional == (wide{20 * 2 + 15}) * fixed::scale * fixed::scale);
  CHECK(s.periods()[0].open.at(0).trades == 2);
  CHECK(s.counters().applied[0] == 4);
}

TEST_CASE("a second of quotes ends when a later second begins") {
  const symbol_rules rules(options_with({}));
  symbol s(rules);
  kept_output out;
  apply(s, {quote(second + 1, 1, 2), quote(second + 2, 3, 4), quote(5 * second, 5, 6)}, out);
  REQUIRE(out.seconds.size() == 1);
  CHECK(out.seconds[0].second == second);
  CHECK(out.seconds[0].top.bid == units(3));
  CHECK(out.seconds[0].top.ask == units(4));
  auto bid_only = quote(5 * second + 1, 7, 0);
  bid_only.flags = market_event::has_bid;
  apply(s, {bid_only, quote(6 * second, 1, 1)}, out);
  REQUIRE(out.seconds.size() == 2);
  CHECK(out.seconds[1].top.bid == units(7));
  CHECK(out.seconds[1].top.ask == units(6));
}

TEST_CASE("quotes: the update id decides, without one the time; time never goes back") {
  const symbol_rules rules(options_with({}));
  symbol s(rules);
  kept_output out;
  apply(s, {quote(10 * second, 1, 2, 7), quote(11 * second, 9, 9, 7), quote(11 * second, 9, 9, 6)},
        out);
  CHECK(refused(s, refusal::stale_quote) == 2);
  apply(s, {quote(9 * second, 3, 4, 8)}, out);
  CHECK(out.seconds.empty());
  CHECK(s.quote().top.bid == units(3));
  CHECK(s.quote().time == 10 * second);
  apply(s, {quote(10 * second - 1, 5, 5), quote(10 * second, 6, 6)}, out);
  CHECK(refused(s, refusal::stale_quote) == 3);
  CHECK(s.quote().top.bid == units(6));
}

TEST_CASE("trades and quotes have watermarks of their own") {
  const symbol_rules rules(options_with({"1m"}));
  symbol s(rules);
  kept_output out;
  apply(s,
        {quote(90 * minute, 1, 2), trade(minute, 10, 1), quote(90 * minute, 1, 2),
         trade(2 * minute, 10, 1)},
        out);
  CHECK(s.counters().applied[0] == 2);
  CHECK(s.counters().applied[1] == 2);
  CHECK(out.bars.size() == 1);
}

TEST_CASE("ready-made bars are kept as they are; the newer must follow") {
  const symbol_rules rules(options_with({"1d"}));
  symbol s(rules);
  kept_output out;
  const std::vector<ohlcv> details{flat(10, 100), flat(11, 200)};
  apply(s,
        {bar_event(period::d1, day, 0), bar_event(period::d1, day, 1), bar_event(period::d1, 0, 1),
         bar_event(period::m1, 0, 1), bar_event(period::d1, 3 * day, 1)},
        out, details);
  REQUIRE(out.bars.size() == 2);
  CHECK(out.bars[0].bar.close == units(10));
  CHECK(out.bars[0].bar.trades == 3);
  CHECK(out.bars[1].bar.open_time == 3 * day);
  CHECK(refused(s, refusal::stale_bar) == 2);
  CHECK(refused(s, refusal::period_not_configured) == 1);
  CHECK(adds_up(s.counters()));
}

TEST_CASE("a forming bar stays open until the closed one comes") {
  const symbol_rules rules(options_with({"1m"}));
  symbol s(rules);
  kept_output out;
  const std::vector<ohlcv> details{flat(10, 1), flat(11, 2), flat(12, 3)};
  apply(s, {bar_event(period::m1, minute, 0, true), bar_event(period::m1, minute, 1, true)}, out,
        details);
  CHECK(out.bars.empty());
  REQUIRE(s.periods()[0].open.size() == 1);
  CHECK(s.periods()[0].open[0].close == units(11));
  apply(s,
        {bar_event(period::m1, 0, 0, true), bar_event(period::m1, minute, 2),
         bar_event(period::m1, minute, 0, true)},
        out, details);
  REQUIRE(out.bars.size() == 1);
  CHECK(out.bars[0].bar.close == units(12));
  CHECK(s.periods()[0].open.empty());
  CHECK(refused(s, refusal::stale_bar) == 2);
  CHECK(s.counters().applied[3] == 3);
}

TEST_CASE("a closed bar that comes late takes nothing from the bar that forms after it") {
  const symbol_rules rules(options_with({"1m"}));
  symbol s(rules);
  kept_output out;
  const std::vector<ohlcv> details{flat(10, 1), flat(11, 2)};
  apply(s, {bar_event(period::m1, minute, 0, true), bar_event(period::m1, 0, 1)}, out, details);
  REQUIRE(out.bars.size() == 1);
  CHECK(out.bars[0].bar.open_time == 0);
  REQUIRE(s.periods()[0].open.size() == 1);
  CHECK(s.periods()[0].open[0].open_time == minute);
  CHECK(s.periods()[0].open[0].close == units(10));
  apply(s, {bar_event(period::m1, minute, 1)}, out, details);
  CHECK(out.bars.size() == 2);
  CHECK(s.periods()[0].open.empty());
}

TEST_CASE("a period is made from what came first, trades or bars") {
  const symbol_rules rules(options_with({"1m", "1d"}));
  symbol s(rules);
  kept_output out;
  const std::vector<ohlcv> details{flat(10, 1)};
  apply(s,
        {bar_event(period::d1, 0, 0), trade(day, 5, 1), bar_event(period::m1, 10 * day, 0),
         trade(2 * day, 6, 1), bar_event(period::d1, day, 0)},
        out, details);
  REQUIRE(out.bars.size() == 3);
  CHECK(out.bars[0].length == period::d1);
  CHECK(out.bars[1].length == period::m1);
  CHECK(out.bars[1].bar.open_time == day);
  CHECK(out.bars[2].length == period::d1);
  CHECK(out.bars[2].bar.open_time == day);
  CHECK(refused(s, refusal::period_from_other_source) == 1);
  CHECK(s.counters().applied[0] == 2);
}

TEST_CASE("tickers do not go back") {
  const symbol_rules rules(options_with({}));
  symbol s(rules);
  kept_output out;
  market_event e;
  e.kind = event_kind::ticker;
  std::vector<market_event> events(3, e);
  events[0].time = 10;
  events[1].time = 9;
  events[2].time = 10;
  apply(s, events, out, {flat(1, 1)});
  CHECK(refused(s, refusal::stale_ticker) == 1);
  CHECK(s.counters().applied[2] == 2);
}

TEST_CASE("sums outgrow 64 bits; notional stops at its greatest value") {
  market_options options = options_with({"1d"});
  const symbol_rules rules(options);
  symbol s(rules);
  kept_output out;
  auto e = trade(1, 1, 1);
  e.size = options.size_max;
  e.price = options.price_max;
  apply(s, std::vector<market_event>(5'000, e), out);
  CHECK(s.periods()[0].open.at(0).volume == wide{options.size_max.raw()} * 5'000);
  CHECK(s.session()->notional > 0);
  symbol again(rules);
  again.load(s.save());
  CHECK(again.save() == s.save());
}

TEST_CASE("every closed bar feeds the indicators of its period") {
  auto options = options_with({"1m", "5m"});
  options.indicators = {"sma(2)"};
  const symbol_rules rules(options);
  symbol s(rules);
  kept_output out;
  apply(s,
        {trade(0, 10, 1), trade(minute, 20, 1), trade(2 * minute, 40, 1), trade(3 * minute, 80, 1)},
        out);
  REQUIRE(out.bars.size() == 3);
  REQUIRE(out.bars[0].values.size() == 1);
  CHECK(std::isnan(out.bars[0].values[0]));
  CHECK(out.bars[1].values[0] == doctest::Approx(15));
  CHECK(out.bars[2].values[0] == doctest::Approx(30));
}
