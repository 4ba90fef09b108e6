#pragma once

#include <utility>

#include "actors/trading/strategy.hpp"

namespace troupe::trading {

/// Wants a position of the usual size or none. It asks to buy once for each change of its mind:
/// what the risk check denies is not asked for again before the signal has changed. It buys nothing
/// on top of what it still holds, and asks to close until nothing is held: a close may be denied,
/// cut by a limit, or come too late for an order that could not be canceled any more. While the
/// session is paused nothing counts as asked, so the first decision after it brings the position in
/// line.
class long_or_flat {
 public:
  void want(bool in, orders& with) {
    if (!with.active()) return;
    in ? enter(with) : leave(with);
  }
  void state(state_fields& v) { v("asked", asked_); }

 private:
  void enter(orders& with) {
    if (asked_) return;
    with.cancel_all();
    asked_ = with.position() > fixed() || with.buy() != 0;
  }
  void leave(orders& with) {
    if (std::exchange(asked_, false))
      with.cancel_all();
    else if (!with.open().empty())
      return;
    with.close_position();
  }

  bool asked_ = false;
};

/// `fast` must be less than `slow`.
inline std::string fast_slow_conflict(const parameter_values& p) {
  if (p["fast"] < p["slow"]) return {};
  return "parameter fast is " + number_text(p["fast"]) + ", and must be less than slow (" +
         number_text(p["slow"]) + ')';
}

/// A number of bars.
inline parameter_def bars_parameter(std::string name, double usual, double least,
                                    std::string meaning) {
  return {std::move(name), usual, least, 1000, true, std::move(meaning)};
}

}  // namespace troupe::trading
