#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace troupe::feed {

inline constexpr std::int64_t us_per_ms = 1'000, us_per_second = 1'000'000,
                              us_per_day = 86'400 * us_per_second;

/// `2025-01-02`, `2025-01-02T14:30:00` with or without a Z; UTC, microseconds since 1970.
std::optional<std::int64_t> parse_time(std::string_view text);
/// `2025-01-02T14:30:00.000000Z`.
std::string time_text(std::int64_t time_us);
std::int64_t now_us();

}  // namespace troupe::feed
