#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "runtime/base/clock.hpp"
#include "runtime/base/fixed.hpp"

namespace troupe::trading {

// Stored by name; names and numbers are never changed. Terms follow FIX 5.0 (OrdType, Side,
// TimeInForce, OrdStatus).

enum class side : std::uint8_t { buy = 0, sell = 1 };
constexpr side opposite(side s) {
  return s == side::buy ? side::sell : side::buy;
}

enum class order_type : std::uint8_t {
  market = 0,
  limit = 1,          // At `limit` or better.
  stop = 2,           // A market order once the price has reached `stop`.
  stop_limit = 3,     // A limit order once the price has reached `stop`.
  trailing_stop = 4,  // A stop that follows the best price since at the distance `trail`.
};

enum class time_in_force : std::uint8_t {
  gtc = 0,  // Until canceled.
  ioc = 1,  // At once; the rest is canceled.
  fok = 2,  // At once and whole, or canceled.
  day = 3,  // Until the end of the UTC day.
  gtd = 4,  // Until `good_till`.
};

enum class order_status : std::uint8_t {
  pending = 0,  // Approved; the venue has not answered yet.
  working = 1,  // At the venue.
  partially_filled = 2,
  filled = 3,  // The end, as are those that follow.
  canceled = 4,
  expired = 5,
  rejected = 6,  // By the venue.
};
constexpr bool is_final(order_status s) {
  return s >= order_status::filled;
}

/// How many to trade, before the risk check has sized it.
enum class sizing : std::uint8_t {
  quantity = 0,           // `amount` units of the instrument.
  notional = 1,           // `amount` in the portfolio's currency.
  percent_of_equity = 2,  // `amount` percent of the portfolio's equity.
  volatility_target =
      3,  // So many that one day's standard deviation is `amount` percent of equity.
};

/// The event of a feed that a decision was made on: an offset of the symbol's partition, the
/// event's time, and the market as it was then, so that a verdict does not depend on when it is
/// given. Fills come from events behind it, never from it or before it.
struct decision_point {
  std::int64_t offset = -1;
  time_point time{};
  fixed last;      // Last trade, or close of the last bar.
  fixed bid, ask;  // 0: no quote.
  bool operator==(const decision_point&) const = default;
};

/// What a session or a client asks for. `session` and `number` name it: asked again, it has one
/// effect and one answer.
struct order_request {
  std::string session;
  std::int64_t number = 0;  // Of its session: 1, 2, 3 ...
  std::string symbol;
  trading::side side = side::buy;
  order_type type = order_type::market;
  time_in_force in_force = time_in_force::gtc;
  sizing size_by = sizing::quantity;
  bool post_only = false;    // Canceled by the venue rather than taking liquidity.
  bool reduce_only = false;  // Never opens, enlarges or turns a position.
  fixed amount;              // By `size_by`.
  fixed limit;               // limit, stop_limit; otherwise 0.
  fixed stop;                // stop, stop_limit; otherwise 0.
  fixed trail;               // trailing_stop: distance in price; otherwise 0.
  time_point good_till{};    // gtd.
  std::string oco_group;     // Not empty: a fill of one cancels the others of its group.
  fixed take_profit;         // Not 0: a bracket, a limit order against what this one fills ...
  fixed stop_loss;           // ... and a stop order, one cancels the other.
  fixed volatility;          // volatility_target: one day's standard deviation of returns, percent.
  decision_point decided;
};

/// A trade of an order at the venue. `id` is the venue's, unique per order: a fill arrives once
/// even if it is delivered ten times.
struct fill {
  std::string id;
  std::string order;  // `portfolio-N`.
  std::string symbol;
  trading::side side = side::buy;
  bool maker = false;
  fixed quantity;
  fixed price;
  fixed fee;  // In the portfolio's currency; negative: a rebate.
  time_point time{};
};

/// Rules of trading one symbol; 0: no such rule.
struct instrument {
  std::string symbol;
  fixed price_step = fixed::from_raw(1);     // Tick size.
  fixed quantity_step = fixed::from_raw(1);  // Lot.
  fixed quantity_min, quantity_max;
  fixed notional_min, notional_max;
  bool tradable = true;
};

}  // namespace troupe::trading
