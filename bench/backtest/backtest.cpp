// Back-test events a second and core: SMA 10/20 cross, 100 units an order, fees, on generated data.
#include <ctime>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string_view>

#include "actors/trading/backtest.hpp"

namespace {

using namespace troupe;
using namespace troupe::trading;
using market::event_kind;
using market::market_event;
using market::ohlcv;

constexpr int rounds = 7;
constexpr std::int64_t begin_micros = 1'700'000'040'000'000, minute = 60'000'000;
constexpr std::int64_t cent = fixed::scale / 100;

instrument spy() {
  instrument one;
  one.symbol = "SPY";
  return one;
}

/// One-minute bars of a walk in cents.
symbol_data make_bars(std::int64_t count) {
  std::mt19937_64 random(42);
  std::uniform_int_distribution<std::int64_t> step(-8, 8), wick(0, 5);
  symbol_data data{spy(), {}, {}};
  std::int64_t cents = 10'000;
  for (std::int64_t i = 0; i < count; ++i) {
    const auto open = cents;
    cents = std::max<std::int64_t>(1000, cents + step(random));
    ohlcv x;
    x.open = fixed::from_raw(open * cent);
    x.close = fixed::from_raw(cents * cent);
    x.high = fixed::from_raw((std::max(open, cents) + wick(random)) * cent);
    x.low = fixed::from_raw((std::min(open, cents) - wick(random)) * cent);
    x.volume = 1000 * wide{fixed::scale};
    market_event e;
    e.kind = event_kind::bar;
    e.length = market::period::m1;
    e.offset = i;
    e.time = begin_micros + i * minute;
    e.detail = static_cast<std::uint32_t>(i);
    data.events.push_back(e);
    data.details.push_back(x);
  }
  return data;
}

/// Trades a second apart.
symbol_data make_trades(std::int64_t count) {
  std::mt19937_64 random(43);
  std::uniform_int_distribution<std::int64_t> step(-3, 3), size(1, 500);
  symbol_data data{spy(), {}, {}};
  std::int64_t cents = 10'000;
  for (std::int64_t i = 0; i < count; ++i) {
    cents = std::max<std::int64_t>(1000, cents + step(random));
    market_event e;
    e.offset = i;
    e.id = i;
    e.time = begin_micros + i * 1'000'000;
    e.price = fixed::from_raw(cents * cent);
    e.size = fixed::from_raw(size(random) * fixed::scale);
    data.events.push_back(e);
  }
  return data;
}

backtest_settings sma_cross() {
  backtest_settings s;
  s.session.name = "s";
  s.session.portfolio = "p";
  s.session.strategy = "sma_cross";
  s.session.parameters = {{"fast", 10}, {"slow", 20}};
  s.session.instruments = {spy()};
  s.session.size.amount = fixed::from_raw(100 * fixed::scale);
  s.cash = fixed::from_raw(1'000'000'000 * fixed::scale);
  s.venue.taker_fee_bps = fixed::from_raw(10 * fixed::scale);
  s.limits.symbols["*"];
  return s;
}

/// CPU time of this thread: the machine may be shared.
double cpu_seconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

void print(bool json, std::string_view metric, double value, std::string_view unit) {
  const auto name = static_cast<int>(metric.size()), of = static_cast<int>(unit.size());
  if (json)
    std::printf(
        "{\"bench\": \"backtest\", \"metric\": \"%.*s\", \"value\": %.2f, \"unit\": \"%.*s\"}\n",
        name, metric.data(), value, of, unit.data());
  else
    std::printf("%-28.*s %12.2f %.*s\n", name, metric.data(), value, of, unit.data());
}

void measure(bool json, const std::string& what, const symbol_data& data) {
  double best = 1e18;
  backtest_result last;
  for (int i = 0; i < rounds; ++i) {
    const auto begin = cpu_seconds();
    last = run_backtest(sma_cross(), {&data, 1});
    best = std::min(best, cpu_seconds() - begin);
  }
  if (last.fills.empty()) std::abort();
  const auto count = static_cast<double>(data.events.size());
  print(json, what, count / best / 1e6, "million events/s");
  print(json, what + ", orders", static_cast<double>(last.orders.size()), "orders");
  print(json, what + ", per event", best / count * 1e9, "ns");
}

}  // namespace

int main(int argc, char** argv) {
  const bool json = argc > 1 && std::strcmp(argv[1], "--json") == 0;
  constexpr std::int64_t count = 1'000'000;
  measure(json, "one-minute bars", make_bars(count));
  measure(json, "trades to one-minute bars", make_trades(count));
}
