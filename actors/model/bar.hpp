#pragma once

#include <cstdint>

#include "actors/model/market_event.hpp"
#include "runtime/base/fixed.hpp"

namespace troupe::market {

/// What trades made of a stretch of time: a bar of a period, or a session. Open and close go by the
/// trades' times; at equal times the first to arrive opens and the last to arrive closes.
struct price_bar {
  wide volume = 0;  // Units of 1e-8.
  std::int64_t open_time = 0;
  fixed open, high, low, close;
  std::int64_t trades = 0;
  std::int64_t first_time =
      0;  // Of the trades that opened and closed it; 0 for bars that came ready-made.
  std::int64_t last_time = 0;

  bool operator==(const price_bar&) const = default;
};

inline price_bar bar_of(const market_event& trade, std::int64_t open_time) {
  return {trade.size.raw(), open_time, trade.price, trade.price, trade.price,
          trade.price,      1,         trade.time,  trade.time};
}

inline void add_trade(price_bar& to, const market_event& trade) {
  if (trade.price > to.high) to.high = trade.price;
  if (trade.price < to.low) to.low = trade.price;
  if (trade.time >= to.last_time) {
    to.close = trade.price;
    to.last_time = trade.time;
  } else if (trade.time < to.first_time) {
    to.open = trade.price;
    to.first_time = trade.time;
  }
  to.volume += trade.size.raw();
  ++to.trades;
}

}  // namespace troupe::market
