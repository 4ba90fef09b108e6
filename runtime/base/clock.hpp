#pragma once

#include <chrono>
#include <cstdint>

namespace troupe {

/// Microseconds since 1970-01-01T00:00:00Z: the time of events, timers and rows.
using time_point = std::chrono::sys_time<std::chrono::microseconds>;
/// Never goes back; for leases, timeouts and durations.
using steady_time = std::chrono::steady_clock::time_point;

constexpr time_point from_micros(std::int64_t micros) {
  return time_point{std::chrono::microseconds{micros}};
}
constexpr std::int64_t to_micros(time_point t) {
  return t.time_since_epoch().count();
}

inline time_point wall_now() {
  return std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
}

/// Time as an argument, so that tests move it by hand.
class clock_source {
 public:
  virtual ~clock_source() = default;
  virtual time_point now() const = 0;
  virtual steady_time steady() const = 0;
};

class system_clock_source final : public clock_source {
 public:
  time_point now() const override { return wall_now(); }
  steady_time steady() const override { return std::chrono::steady_clock::now(); }
};

}  // namespace troupe
