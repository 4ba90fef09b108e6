#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace troupe {

/// Signed fixed-point number with eight decimals in 64 bits: prices, sizes, money. Range about ±92
/// billion. Arithmetic refuses instead of overflowing.
class fixed {
 public:
  static constexpr int decimals = 8;
  static constexpr std::int64_t scale = 100'000'000;

  constexpr fixed() = default;
  static constexpr fixed from_raw(std::int64_t units) { return fixed(units); }

  /// Units of 1e-8.
  constexpr std::int64_t raw() const { return units_; }
  constexpr auto operator<=>(const fixed&) const = default;

  double to_double() const { return static_cast<double>(units_) / static_cast<double>(scale); }

 private:
  constexpr explicit fixed(std::int64_t units) : units_(units) {}
  std::int64_t units_ = 0;
};

/// Sum of many fixed numbers (a day's volume), units of 1e-8: cannot overflow in practice.
__extension__ typedef __int128 wide;

inline std::optional<fixed> checked_add(fixed a, fixed b) {
  std::int64_t sum;
  if (__builtin_add_overflow(a.raw(), b.raw(), &sum)) return std::nullopt;
  return fixed::from_raw(sum);
}

inline std::optional<fixed> checked_subtract(fixed a, fixed b) {
  std::int64_t difference;
  if (__builtin_sub_overflow(a.raw(), b.raw(), &difference)) return std::nullopt;
  return fixed::from_raw(difference);
}

/// Parses `-12.5`, `0.00001`, `1e3` is refused. At most eight decimals unless the rest are zeros.
/// Returns nothing for anything that is not exactly representable.
std::optional<fixed> parse_fixed(std::string_view text);

/// Shortest exact decimal: `12.5`, `-0.00000001`, `3`.
std::string to_string(fixed value);
/// The same for a sum.
std::string to_string(wide units);
/// Parses what `to_string(wide)` wrote.
std::optional<wide> parse_wide(std::string_view text);

}  // namespace troupe
