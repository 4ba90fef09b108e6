#pragma once

#include "actors/trading/strategy.hpp"

namespace troupe::trading {

/// Wants a position of the usual size or none, and asks once for each change of its mind: what the
/// risk check denies is not asked for again before the signal has changed. While the session is
/// paused nothing counts as asked, so the first decision after it brings the position in line.
class long_or_flat {
 public:
  void want(bool in, orders& with) {
    if (in == asked_ || !with.active()) return;
    asked_ = in;
    with.cancel_all();
    if (in)
      with.buy();
    else
      with.close_position();
  }
  void state(state_fields& v) { v("asked", asked_); }

 private:
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
