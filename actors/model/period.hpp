#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace troupe::market {

/// Length of a bar. Stored by name; each length divides the next one.
enum class period : std::uint8_t { s1 = 0, m1 = 1, m5 = 2, m15 = 3, h1 = 4, d1 = 5 };
inline constexpr std::size_t period_count = 6;

inline constexpr std::int64_t second_micros = 1'000'000;
inline constexpr std::int64_t day_micros = 86'400 * second_micros;

constexpr std::string_view name_of(period p) {
  constexpr std::array<std::string_view, period_count> names{"1s", "1m", "5m", "15m", "1h", "1d"};
  return names[static_cast<std::size_t>(p)];
}

/// Microseconds.
constexpr std::int64_t length_of(period p) {
  constexpr std::array<std::int64_t, period_count> seconds{1, 60, 300, 900, 3600, 86'400};
  return seconds[static_cast<std::size_t>(p)] * second_micros;
}

constexpr std::optional<period> parse_period(std::string_view name) {
  for (std::size_t i = 0; i < period_count; ++i)
    if (name_of(static_cast<period>(i)) == name) return static_cast<period>(i);
  return std::nullopt;
}

/// The last multiple of `length` that is not after `micros`: bars are aligned to UTC.
constexpr std::int64_t floor_to(std::int64_t micros, std::int64_t length) {
  const auto rest = micros % length;
  return rest < 0 ? micros - rest - length : micros - rest;
}

}  // namespace troupe::market
