#include "actors/trading/order_life.hpp"

namespace troupe::trading {

namespace {

using enum order_status;

constexpr life_step to(order_status s) {
  return {s, life_outcome::taken};
}
constexpr life_step stay(order_status s, life_outcome why) {
  return {s, why};
}

constexpr life_step of_open(order_status now, life_event what) {
  switch (what) {
    case life_event::acknowledged:
      return now == pending ? to(working) : stay(now, life_outcome::repeated);
    case life_event::filled_partly:
      return to(partially_filled);
    case life_event::filled_wholly:
      return to(filled);
    case life_event::canceled:
      return to(canceled);
    case life_event::expired:
      return to(expired);
    case life_event::rejected:
      return to(now == partially_filled ? canceled : rejected);
    case life_event::cancel_asked:
    case life_event::cancel_refused:
      break;
  }
  return to(now);
}

constexpr life_step of_ended(order_status now, life_event what) {
  switch (what) {
    case life_event::filled_partly:
      return now == filled ? stay(now, life_outcome::beyond_quantity) : to(now);
    case life_event::filled_wholly:
      return now == filled ? stay(now, life_outcome::beyond_quantity) : to(filled);
    case life_event::cancel_asked:
      return stay(now, life_outcome::already_final);
    default:
      return stay(now, life_outcome::repeated);
  }
}

}  // namespace

life_step transition(order_status now, life_event what) {
  return is_final(now) ? of_ended(now, what) : of_open(now, what);
}

}  // namespace troupe::trading
