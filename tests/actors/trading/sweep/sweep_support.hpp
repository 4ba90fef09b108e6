#pragma once

#include <random>
#include <string>

#include "actors/trading/sweep_order.hpp"

namespace troupe::trading::test {

inline constexpr std::int64_t cent = fixed::scale / 100;

/// Daily bars of a walk in cents.
inline symbol_data bars_of(const std::string& symbol, unsigned seed, int count) {
  std::mt19937 random(seed);
  std::uniform_int_distribution<std::int64_t> step(-100, 100);
  symbol_data data;
  data.rules.symbol = symbol;
  std::int64_t cents = 10'000;
  for (std::int64_t i = 0; i < count; ++i) {
    cents = std::max<std::int64_t>(1000, cents + step(random));
    market::ohlcv x;
    x.open = x.high = x.low = x.close = fixed::from_raw(cents * cent);
    x.volume = wide{fixed::scale} * static_cast<std::int64_t>(random());
    market::market_event e;
    e.kind = market::event_kind::bar;
    e.length = market::period::d1;
    e.offset = i;
    e.time = i * market::day_micros;
    e.detail = static_cast<std::uint32_t>(i);
    data.events.push_back(e);
    data.details.push_back(x);
  }
  return data;
}

/// SMA crosses over one symbol.
inline backtest_settings crosses_of(const std::string& symbol) {
  backtest_settings s;
  s.session.name = "s";
  s.session.portfolio = "p";
  s.session.strategy = "sma_cross";
  s.session.bars = market::period::d1;
  s.session.size.amount = fixed::from_raw(7 * fixed::scale);
  s.session.instruments.resize(1);
  s.session.instruments[0].symbol = symbol;
  s.venue.taker_fee_bps = fixed::from_raw(5 * fixed::scale);
  s.cash = fixed::from_raw(1'000'000 * fixed::scale);
  s.limits.symbols[symbol].rules.symbol = symbol;
  return s;
}

/// 16 runs: of 20 combinations four have fast >= slow.
inline sweep_order crosses(const std::string& data) {
  return {data, crosses_of("X"), {parse_axis("fast=2:10:2"), parse_axis("slow=5:20:5")}};
}

}  // namespace troupe::trading::test
