#include "runtime/base/fixed.hpp"

#include <algorithm>

namespace troupe {

namespace {

constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// Digits around at most one point, as units of 1e-8; nothing when malformed, too fine or above
/// `limit`.
std::optional<wide> parse_units(std::string_view text, wide limit) {
  wide units = 0;
  int fraction = -1;
  bool any = false;
  for (char c : text) {
    if (c == '.' && fraction < 0) {
      fraction = 0;
      continue;
    }
    if (!is_digit(c)) return std::nullopt;
    any = true;
    if (fraction >= fixed::decimals) {
      if (c != '0') return std::nullopt;
      continue;
    }
    units = units * 10 + (c - '0');
    if (fraction >= 0) ++fraction;
    if (units > limit) return std::nullopt;
  }
  if (!any) return std::nullopt;
  for (int i = std::max(fraction, 0); i < fixed::decimals; ++i) {
    units *= 10;
    if (units > limit) return std::nullopt;
  }
  return units;
}

std::optional<wide> parse_signed(std::string_view text, wide limit) {
  const bool negative = !text.empty() && text.front() == '-';
  if (negative) text.remove_prefix(1);
  // Two's complement reaches one unit further below zero.
  const auto units = parse_units(text, negative ? limit + 1 : limit);
  if (!units) return std::nullopt;
  return negative ? -*units : *units;
}

}  // namespace

std::optional<fixed> parse_fixed(std::string_view text) {
  const auto units = parse_signed(text, INT64_MAX);
  if (!units) return std::nullopt;
  return fixed::from_raw(static_cast<std::int64_t>(*units));
}

std::optional<wide> parse_wide(std::string_view text) {
  constexpr wide limit = (wide{1} << 120);
  return parse_signed(text, limit);
}

std::string to_string(fixed value) {
  return to_string(wide{value.raw()});
}

std::string to_string(wide units) {
  const bool negative = units < 0;
  if (negative) units = -units;
  std::string digits;
  do digits.push_back(static_cast<char>('0' + static_cast<int>(units % 10)));
  while ((units /= 10) != 0);
  while (digits.size() <= fixed::decimals) digits.push_back('0');
  std::reverse(digits.begin(), digits.end());
  digits.insert(digits.size() - fixed::decimals, 1, '.');
  digits.erase(digits.find_last_not_of('0') + 1);
  if (digits.back() == '.') digits.pop_back();
  return negative ? '-' + digits : digits;
}

}  // namespace troupe
