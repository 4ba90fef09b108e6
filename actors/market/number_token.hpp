#pragma once

#include <cstdint>
#include <string_view>

#include "runtime/base/fixed.hpp"

namespace troupe::market {

enum class number_error : std::uint8_t { none, malformed, too_large };

/// What a JSON token says as a number: exact, never by way of floating point.
template <class Value>
struct parsed {
  Value value{};
  number_error error = number_error::none;
};

/// The text of a JSON string token without its quotes; any other token as it is.
constexpr std::string_view unquoted(std::string_view token) {
  if (token.size() < 2 || token.front() != '"' || token.back() != '"') return token;
  return token.substr(1, token.size() - 2);
}

/// A decimal, as a JSON number or as a string of one: `167.42`, `"61685.99000000"`. Exponents and
/// more than eight decimals (unless zeros) are malformed; what does not fit into `fixed` is too
/// large.
parsed<fixed> read_decimal(std::string_view token);

/// The same for sums, up to 2^120 units.
parsed<wide> read_wide_decimal(std::string_view token);

/// A whole number, as a JSON number or as a string of one.
parsed<std::int64_t> read_integer(std::string_view token);

}  // namespace troupe::market
