#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "runtime/base/clock.hpp"
#include "runtime/base/fixed.hpp"
#include "runtime/base/strong_id.hpp"

namespace troupe::trading {

/// A symbol within one portfolio: its place in the tables of `portfolio_facts`.
using symbol_index = strong_id<struct symbol_tag, std::uint32_t>;

/// The names of an enum's values, in the order of their numbers.
template <class Enum>
struct names_of;
template <class Enum>
constexpr auto name_of(Enum e) -> decltype(std::string_view(names_of<Enum>::list[0])) {
  return names_of<Enum>::list[static_cast<std::size_t>(e)];
}
template <class Enum>
constexpr std::optional<Enum> parse_name(std::string_view name) {
  for (std::size_t i = 0; i < names_of<Enum>::list.size(); ++i)
    if (names_of<Enum>::list[i] == name) return static_cast<Enum>(i);
  return std::nullopt;
}

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
  fixed last{};        // Last trade, or close of the last bar.
  fixed bid{}, ask{};  // 0: no quote.
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
  bool paced =
      false;  // Its session asks what it comes to, event by event: `venue_order::paced_by`.
  bool operator==(const order_request&) const = default;
};

/// How many orders a bracket has beside its entry.
constexpr std::int64_t children_of(fixed take_profit, fixed stop_loss) {
  return (take_profit.raw() != 0 ? 1 : 0) + (stop_loss.raw() != 0 ? 1 : 0);
}

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
  bool operator==(const fill&) const = default;
};

/// What a venue is asked to do: the message `new_order`, a record of the topic `orders`.
struct venue_order {
  std::string id;  // `portfolio-N`.
  std::string portfolio;
  std::string symbol;
  trading::side side = side::buy;
  order_type type = order_type::market;
  time_in_force in_force = time_in_force::gtc;
  bool post_only = false;
  bool reduce_only = false;
  fixed quantity;
  fixed limit, stop, trail;
  time_point good_till{};
  std::string oco_group;  // Within its portfolio.
  decision_point decided;
  /// The session by whose questions (`await_effects`) it meets the log at the paper venue, no event
  /// before that has been asked for; empty: it meets the log as it comes.
  std::string paced_by;
  bool operator==(const venue_order&) const = default;
};

/// What a venue says of an order; FIX: ExecType.
enum class report_kind : std::uint8_t {
  acknowledged = 0,  // The order is at the venue.
  filled = 1,        // In part or whole: `trade`.
  canceled = 2,
  expired = 3,
  rejected = 4,        // The venue does not take the order.
  cancel_refused = 5,  // Too late to cancel.
  change_refused = 6,  // Too late to change the quantity: the order has ended.
};

struct order_report {
  report_kind what = report_kind::acknowledged;
  std::string order;   // `portfolio-N`.
  std::string reason;  // Of an end that nobody asked for: a fixed name, or the venue's words.
  time_point time{};
  fill trade;                // Of `filled`.
  std::int64_t offset = -1;  // Of the event that filled it, where the venue follows the log.
  bool operator==(const order_report&) const = default;
};

/// Rules of trading one symbol; 0: no such rule.
struct instrument {
  std::string symbol;
  fixed price_step = fixed::from_raw(1);     // Tick size.
  fixed quantity_step = fixed::from_raw(1);  // Lot.
  fixed quantity_min, quantity_max;
  fixed notional_min, notional_max;
  bool tradable = true;
  bool operator==(const instrument&) const = default;
};

template <>
struct names_of<side> {
  static constexpr std::array<std::string_view, 2> list{"buy", "sell"};
};
template <>
struct names_of<order_type> {
  static constexpr std::array<std::string_view, 5> list{"market", "limit", "stop", "stop_limit",
                                                        "trailing_stop"};
};
template <>
struct names_of<time_in_force> {
  static constexpr std::array<std::string_view, 5> list{"gtc", "ioc", "fok", "day", "gtd"};
};
template <>
struct names_of<order_status> {
  static constexpr std::array<std::string_view, 7> list{
      "pending", "working", "partially_filled", "filled", "canceled", "expired", "rejected"};
};
template <>
struct names_of<sizing> {
  static constexpr std::array<std::string_view, 4> list{"quantity", "notional", "percent_of_equity",
                                                        "volatility_target"};
};
template <>
struct names_of<report_kind> {
  static constexpr std::array<std::string_view, 7> list{
      "acknowledged", "filled",         "canceled",      "expired",
      "rejected",     "cancel_refused", "change_refused"};
};

}  // namespace troupe::trading
