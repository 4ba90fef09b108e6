#include "actors/trading/money.hpp"

namespace troupe::trading {

namespace {

constexpr wide greatest = ((wide{1} << 126) - 1) * 2 + 1;

/// whole * b + part, at most the greatest value.
wide sum_of(wide whole, std::int64_t b, wide part) {
  wide product, sum;
  if (__builtin_mul_overflow(whole, wide{b}, &product)) return greatest;
  return __builtin_add_overflow(product, part, &sum) ? greatest : sum;
}

}  // namespace

wide multiply_divide(wide a, std::int64_t b, std::int64_t c) {
  wide product;  // Divisions of 128 bits are slow: mostly one will do.
  if (!__builtin_mul_overflow(a, wide{b}, &product)) return product / c;
  return sum_of(a / c, b, a % c * b / c);
}

wide multiply_divide_up(wide a, std::int64_t b, std::int64_t c) {
  wide product;
  if (!__builtin_mul_overflow(a, wide{b}, &product)) return divide(product, c, rounding::up);
  return sum_of(a / c, b, divide(a % c * b, c, rounding::up));
}

}  // namespace troupe::trading
