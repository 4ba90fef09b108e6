#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "actors/trading/order.hpp"

namespace troupe::trading {

/// What can happen to an order. A fill is `filled_wholly` when it is the one that reaches the
/// order's quantity.
enum class life_event : std::uint8_t {
  acknowledged = 0,
  filled_partly = 1,
  filled_wholly = 2,
  canceled = 3,
  expired = 4,
  rejected = 5,
  cancel_asked = 6,
  cancel_refused = 7,
};
inline constexpr std::size_t life_event_count = 8;

enum class life_outcome : std::uint8_t {
  taken = 0,
  repeated = 1,  // Says what is known already, or is overtaken by what came before it: no effect.
  already_final = 2,    // Refused: nothing can happen to the order any more.
  beyond_quantity = 3,  // Refused: a fill of an order that is filled.
};

struct life_step {
  order_status status;  // Afterwards; refused or repeated: as before.
  life_outcome outcome;
  bool operator==(const life_step&) const = default;
};

/// The whole life of an order: every status and event has an answer.
///
/// Reports may come late, twice or in another order than they happened. Where two states could both
/// be told of, FIX's precedence of OrdStatus decides: filled before canceled and expired, those
/// before partially filled, that before new:
/// - A fill before the acknowledgement counts; the acknowledgement is then a repetition.
/// - A fill after the cancel or the expiry happened before it, and counts: the rest of the order
/// stays
///   canceled, and an order that is wholly filled by it is filled.
/// - A fill of a rejected order counts as well, since the venue has traded; unlike in FIX the order
///   stays rejected until it is filled wholly, because nobody works its rest.
/// - A rejection of an order that has traded ends its rest: canceled.
/// - Cancel and expiry after the end are repetitions: the first end counts.
/// - Asking to cancel what has ended is refused; asking twice is a repetition (see `order`).
life_step transition(order_status now, life_event what);

template <>
struct names_of<life_event> {
  static constexpr std::array<std::string_view, life_event_count> list{
      "acknowledged", "filled_partly", "filled_wholly", "canceled",
      "expired",      "rejected",      "cancel_asked",  "cancel_refused"};
};
template <>
struct names_of<life_outcome> {
  static constexpr std::array<std::string_view, 4> list{"taken", "repeated", "already_final",
                                                        "beyond_quantity"};
};

}  // namespace troupe::trading
