#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "actors/trading/order.hpp"

namespace troupe::trading {

/// Why the risk check refuses an order. Stored by name. The numbers are the precedence: of all that
/// is wrong with a request the first is told.
enum class risk_refusal : std::uint8_t {
  none = 0,
  duplicate = 1,  // Its session has had a verdict for this number or a higher one.
  malformed = 2,  // The request does not hold together: a limit order without a limit ...
  halted = 3,     // Trading is halted by an operator.
  drawdown = 4,   // Trading is halted: equity has fallen too far from its peak.
  unknown_symbol = 5,
  untradable_symbol = 6,
  good_till_past = 7,      // It would end before it began.
  price_precision = 8,     // A price is not a multiple of price_step.
  quantity_precision = 9,  // sizing::quantity: not a multiple of quantity_step.
  no_price = 10,           // No quote and no trade to value it by.
  price_collar = 11,       // A price is too far from the market.
  no_equity = 12,          // Sized by equity, and there is none.
  reduce_only = 13,        // There is nothing that it could reduce.
  reducing = 14,           // Trading is reducing: only what closes positions may be ordered.
  daily_loss = 15,         // As `reducing` until the next UTC day: too much was lost in this one.
  quantity_min = 16,       // After sizing and rounding down to the lot.
  quantity_max = 17,
  notional_min = 18,
  notional_max = 19,
  position_limit = 20,
  gross_exposure = 21,
  cash = 22,
  open_orders = 23,
  order_rate = 24,
};
inline constexpr std::size_t risk_refusal_count = 25;

/// What the risk check answers.
struct verdict {
  /// Of its portfolio: 1, 2, 3 ... in the order in which they were given; 0: a duplicate, which has
  /// its verdict already.
  std::int64_t number = 0;
  risk_refusal refused = risk_refusal::none;
  std::string detail;   // Of a refusal: `key=value key=value`.
  fixed quantity;       // Approved.
  fixed reserve_price;  // Buys that need cash: what one unit may cost, fees included.

  bool approved() const { return refused == risk_refusal::none; }
  bool operator==(const verdict&) const = default;
};

template <>
struct names_of<risk_refusal> {
  static constexpr std::array<std::string_view, risk_refusal_count> list{"none",
                                                                         "duplicate",
                                                                         "malformed",
                                                                         "halted",
                                                                         "drawdown",
                                                                         "unknown_symbol",
                                                                         "untradable_symbol",
                                                                         "good_till_past",
                                                                         "price_precision",
                                                                         "quantity_precision",
                                                                         "no_price",
                                                                         "price_collar",
                                                                         "no_equity",
                                                                         "reduce_only",
                                                                         "reducing",
                                                                         "daily_loss",
                                                                         "quantity_min",
                                                                         "quantity_max",
                                                                         "notional_min",
                                                                         "notional_max",
                                                                         "position_limit",
                                                                         "gross_exposure",
                                                                         "cash",
                                                                         "open_orders",
                                                                         "order_rate"};
};

}  // namespace troupe::trading
