#include <doctest/doctest.h>

#include <bit>
#include <random>

#include "market_support.hpp"

using namespace troupe;
using namespace troupe::market;
using namespace troupe::market::test;

namespace {

constexpr std::int64_t start = 1'699'999'000'000'000;

struct log_part {
  std::vector<market_event> events;
  std::vector<ohlcv> details;
};

std::int64_t next_gap(std::mt19937& random) {
  switch (random() % 50) {
    case 0:
      return static_cast<std::int64_t>(random() % 40'000) * 1'000'000;
    case 1:
    case 2:
    case 3:
      return -static_cast<std::int64_t>(random() % 5'000) * 1'000;
    default:
      return static_cast<std::int64_t>(random() % 700) * 1'000;
  }
}

/// Trades, quotes and bars with jumps in time, steps back, repeated ids and gaps.
log_part random_log(std::mt19937& random, std::size_t count, bool bars) {
  log_part log;
  std::int64_t time = start, id = 0;
  for (std::size_t i = 0; i < count; ++i) {
    time += next_gap(random);
    id += static_cast<std::int64_t>(random() % 20) == 0 ? -1 : 1;
    const auto price = 100 + static_cast<double>(random() % 1'000) / 100;
    const auto chosen = random() % 2 == 0 ? id : market_event::no_id;
    const auto kind = random() % 10;
    if (kind < 6) {
      log.events.push_back(trade(time, price, 1 + static_cast<double>(random() % 9), chosen));
    } else if (kind < 9 || !bars) {
      log.events.push_back(quote(time, price, price + 0.01, chosen));
    } else {
      const auto length = static_cast<period>(random() % period_count);
      log.details.push_back(flat(price, 5));
      log.events.push_back(bar_event(length, floor_to(time, length_of(length)),
                                     static_cast<std::uint32_t>(log.details.size() - 1),
                                     random() % 3 == 0));
    }
  }
  return log;
}

using bar_map = std::map<std::pair<period, std::int64_t>, std::vector<market_event>>;

/// Bars by the book: every trade that is in time goes to its bar of every period; sorted by time at
/// the end.
bar_map expected_bars(const std::vector<market_event>& events, const symbol_rules& rules) {
  bar_map bars;
  const auto shortest = length_of(rules.periods.front());
  std::int64_t newest = INT64_MIN / 2, last_id = market_event::no_id;
  for (const auto& e : events) {
    if (e.kind != event_kind::trade) continue;
    if (e.id != market_event::no_id && e.id <= last_id) continue;
    if (e.id != market_event::no_id) last_id = e.id;
    if (floor_to(e.time, shortest) + shortest + rules.lateness_max <= newest) continue;
    newest = std::max(newest, e.time);
    for (auto p : rules.periods) bars[{p, floor_to(e.time, length_of(p))}].push_back(e);
  }
  for (auto& [_, trades] : bars)
    std::stable_sort(trades.begin(), trades.end(),
                     [](const auto& a, const auto& b) { return a.time < b.time; });
  return bars;
}

void check_bar(const price_bar& b, const std::vector<market_event>& trades) {
  REQUIRE(b.trades == static_cast<std::int64_t>(trades.size()));
  REQUIRE(b.open == trades.front().price);
  REQUIRE(b.close == trades.back().price);
  wide volume = 0;
  fixed high = trades[0].price, low = trades[0].price;
  for (const auto& t : trades) {
    volume += t.size.raw();
    high = std::max(high, t.price);
    low = std::min(low, t.price);
  }
  REQUIRE(b.volume == volume);
  REQUIRE(b.high == high);
  REQUIRE(b.low == low);
}

std::vector<std::string> period_sets(std::mt19937& random) {
  std::vector<std::string> chosen;
  for (std::size_t i = 0; i < period_count; ++i)
    if (random() % 2 == 0) chosen.emplace_back(name_of(static_cast<period>(i)));
  if (chosen.empty()) chosen.emplace_back("1m");
  return chosen;
}

bool same_bits(const std::vector<double>& a, const std::vector<double>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](double x, double y) {
    return std::bit_cast<std::uint64_t>(x) == std::bit_cast<std::uint64_t>(y) ||
           (std::isnan(x) && std::isnan(y));
  });
}

void check_same(const kept_output& a, const kept_output& b) {
  REQUIRE(a.seconds == b.seconds);
  REQUIRE(a.bars.size() == b.bars.size());
  for (std::size_t i = 0; i < a.bars.size(); ++i) {
    REQUIRE(a.bars[i].length == b.bars[i].length);
    REQUIRE(a.bars[i].bar == b.bars[i].bar);
    REQUIRE(same_bits(a.bars[i].values, b.bars[i].values));
  }
}

}  // namespace

TEST_CASE("bars are those of a brute force over all trades, closed in order and once") {
  for (unsigned seed = 0; seed < 60; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    const symbol_rules rules(
        options_with(period_sets(random), static_cast<std::int64_t>(random() % 3 * 1'700)));
    const auto log = random_log(random, 1'500, false);
    symbol s(rules);
    kept_output out;
    apply(s, log.events, out);
    auto expected = expected_bars(log.events, rules);
    std::map<period, std::int64_t> newest;
    for (const auto& [length, bar, _] : out.bars) {
      const auto found = expected.find({length, bar.open_time});
      REQUIRE(found != expected.end());
      check_bar(bar, found->second);
      expected.erase(found);
      if (newest.contains(length)) REQUIRE(bar.open_time > newest[length]);
      newest[length] = bar.open_time;
    }
    for (const auto& p : s.periods())
      for (const auto& bar : p.open) {
        const auto found = expected.find({p.length, bar.open_time});
        REQUIRE(found != expected.end());
        check_bar(bar, found->second);
        expected.erase(found);
      }
    CHECK(expected.empty());
    CHECK(adds_up(s.counters()));
  }
}

TEST_CASE("any split of the log with save and load between equals the whole, to the bit") {
  for (unsigned seed = 100; seed < 140; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    const symbol_rules rules(
        options_with(period_sets(random), static_cast<std::int64_t>(random() % 3 * 1'700)));
    const auto log = random_log(random, 1'500, true);
    symbol whole(rules);
    kept_output from_whole, from_parts;
    apply(whole, log.events, from_whole, log.details);
    CHECK(adds_up(whole.counters()));
    std::string state = symbol(rules).save();
    for (std::size_t at = 0; at < log.events.size();) {
      const auto length = std::min<std::size_t>(1 + random() % 40, log.events.size() - at);
      symbol part(rules);
      part.load(state);
      REQUIRE(part.save() == state);
      apply(part,
            {log.events.begin() + static_cast<std::ptrdiff_t>(at),
             log.events.begin() + static_cast<std::ptrdiff_t>(at + length)},
            from_parts, log.details);
      state = part.save();
      at += length;
    }
    REQUIRE(state == whole.save());
    check_same(from_whole, from_parts);
  }
}

TEST_CASE("a batch may be taken up where it was left") {
  std::mt19937 random(1);
  const symbol_rules rules(options_with({"1m"}));
  const auto log = random_log(random, 200, true);
  const market_batch batch(log.events, log.details);
  symbol whole(rules), resumed(rules);
  kept_output out;
  std::size_t done = 0;
  whole.apply(batch, done, out);
  CHECK(done == 200);
  apply(resumed, {log.events.begin(), log.events.begin() + 120}, out, log.details);
  done = 120;
  resumed.apply(batch, done, out);
  CHECK(done == 200);
  CHECK(resumed.save() == whole.save());
}
