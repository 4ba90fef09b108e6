#pragma once

#include <cstdint>

#include "runtime/base/fixed.hpp"

namespace troupe::trading {

/// Amounts of money: sums in units of 1e-8 of the portfolio's currency, 128 bits wide, so that no
/// sum of fills can overflow.
using money = wide;

enum class rounding : std::uint8_t { down, up };  // Towards minus, plus infinity.

constexpr money to_money(fixed amount) {
  return amount.raw();
}

/// a / b rounded. Requires b > 0.
constexpr wide divide(wide a, wide b, rounding how) {
  const wide quotient = a / b;
  if (quotient * b == a) return quotient;
  if (how == rounding::down) return a < 0 ? quotient - 1 : quotient;
  return a > 0 ? quotient + 1 : quotient;
}

/// a * b / c rounded down, exact however great a * b is; at the edge of 128 bits the greatest
/// value. Requires a >= 0, b >= 0, c > 0.
wide multiply_divide(wide a, std::int64_t b, std::int64_t c);
/// The same rounded up.
wide multiply_divide_up(wide a, std::int64_t b, std::int64_t c);

/// quantity * price, rounded to 1e-8. Both may be negative.
constexpr money value_of(fixed quantity, fixed price, rounding how) {
  return divide(wide{quantity.raw()} * price.raw(), fixed::scale, how);
}

/// So many percent of a price, quantity or amount, rounded down. Requires both >= 0.
inline wide percent_of(wide whole, fixed percent) {
  return multiply_divide(whole, percent.raw(), 100 * fixed::scale);
}

/// The greatest multiple of `step` that is not above `value`. Requires value >= 0, step > 0.
constexpr fixed round_down(fixed value, fixed step) {
  return fixed::from_raw(value.raw() - value.raw() % step.raw());
}

constexpr bool is_multiple(fixed value, fixed step) {
  return value.raw() == 0 || value.raw() % step.raw() == 0;
}

/// The nearest `fixed`: its greatest or least value when `units` do not fit.
constexpr fixed clamp_fixed(wide units) {
  if (units > INT64_MAX) return fixed::from_raw(INT64_MAX);
  if (units < -INT64_MAX) return fixed::from_raw(-INT64_MAX);
  return fixed::from_raw(static_cast<std::int64_t>(units));
}

}  // namespace troupe::trading
