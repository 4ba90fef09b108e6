#include "actors/market/number_token.hpp"

#include <array>
#include <charconv>
#include <cstring>

namespace troupe::market {

namespace {

constexpr std::array<std::int64_t, 9> power_of_ten{
    1, 10, 100, 1'000, 10'000, 100'000, 1'000'000, 10'000'000, 100'000'000};

constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// The eight characters at `text` as one word, the first in the lowest byte.
std::uint64_t load_eight(const char* text) {
  std::uint64_t word;
  std::memcpy(&word, text, sizeof word);
  return word;
}

bool all_digits(std::uint64_t word) {
  constexpr std::uint64_t high = 0xF0F0F0F0F0F0F0F0, zeros = 0x3030303030303030;
  return (word & high) == zeros && ((word + 0x0606060606060606) & high) == zeros;
}

/// Value of eight digits: neighbours are joined to pairs, pairs to fours, fours to all eight.
std::int64_t value_of_eight(std::uint64_t word) {
  word = (word & 0x0F0F0F0F0F0F0F0F) * (1 + (10 << 8)) >> 8;
  word = (word & 0x00FF00FF00FF00FF) * (1 + (100 << 16)) >> 16;
  word = (word & 0x0000FFFF0000FFFF) * (1 + (std::uint64_t{10'000} << 32)) >> 32;
  return static_cast<std::int64_t>(word);
}

/// Digits with at most one point, at least one digit; a sign may come first.
bool looks_decimal(std::string_view text) {
  if (!text.empty() && text.front() == '-') text.remove_prefix(1);
  bool digit = false, point = false;
  for (char c : text) {
    if (c == '.' && !point)
      point = true;
    else if (is_digit(c))
      digit = true;
    else
      return false;
  }
  return digit;
}

/// More than eight decimals that matter: not representable, however small.
bool too_fine(std::string_view text) {
  const auto point = text.find('.');
  if (point == std::string_view::npos || text.size() - point - 1 <= fixed::decimals) return false;
  return text.find_first_not_of('0', point + 1 + fixed::decimals) != std::string_view::npos;
}

/// Any decimal, at leisure: what the common case does not cover.
parsed<fixed> read_any_decimal(std::string_view text) {
  if (const auto value = parse_fixed(text)) return {*value};
  if (!looks_decimal(text) || too_fine(text)) return {{}, number_error::malformed};
  return {{}, number_error::too_large};
}

}  // namespace

parsed<fixed> read_decimal(std::string_view token) {
  const auto text = unquoted(token);
  const char* at = text.data();
  const char* const end = at + text.size();
  std::int64_t whole = 0;
  const char* const whole_end = at + (text.size() < 10 ? text.size() : 10);
  while (at != whole_end && is_digit(*at)) whole = whole * 10 + (*at++ - '0');
  if (at == text.data()) return read_any_decimal(text);
  if (at == end) return {fixed::from_raw(whole * fixed::scale)};
  if (*at != '.') return read_any_decimal(text);
  ++at;
  const auto decimals = end - at;
  std::int64_t fraction = 0;
  if (decimals == 8) {
    const auto word = load_eight(at);
    if (!all_digits(word)) return read_any_decimal(text);
    fraction = value_of_eight(word);
  } else {
    if (decimals > 8) return read_any_decimal(text);
    for (; at != end; ++at) {
      if (!is_digit(*at)) return read_any_decimal(text);
      fraction = fraction * 10 + (*at - '0');
    }
    fraction *= power_of_ten[static_cast<std::size_t>(8 - decimals)];
  }
  return {fixed::from_raw(whole * fixed::scale + fraction)};
}

parsed<wide> read_wide_decimal(std::string_view token) {
  const auto narrow = read_decimal(token);
  if (narrow.error == number_error::none) return {narrow.value.raw()};
  if (narrow.error == number_error::malformed) return {{}, number_error::malformed};
  if (const auto value = parse_wide(unquoted(token))) return {*value};
  return {{}, number_error::too_large};
}

parsed<std::int64_t> read_integer(std::string_view token) {
  const auto text = unquoted(token);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (end != text.data() + text.size()) return {{}, number_error::malformed};
  if (error == std::errc::result_out_of_range) return {{}, number_error::too_large};
  if (error != std::errc{}) return {{}, number_error::malformed};
  return {value};
}

}  // namespace troupe::market
