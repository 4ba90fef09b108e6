#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace troupe::feed {

/// Asks whether SIGINT or SIGTERM came; from the first call of `catch_interrupts` on these signals
/// only say so.
void catch_interrupts();
bool interrupted();

/// How fast: `max`, `real` (as time went when it was recorded), or that many times as fast.
struct speed {
  double factor = 0;  // 0: as fast as can be.
};
std::optional<speed> parse_speed(std::string_view text);

/// Holds events back until their time has come.
class pace {
 public:
  explicit pace(speed how) : factor_(how.factor) {}
  /// Waits until an event of `time_us` may be sent; less on an interrupt. The first one may at
  /// once.
  void wait_for(std::int64_t time_us);

 private:
  using clock = std::chrono::steady_clock;
  double factor_;
  std::optional<std::int64_t> first_us_;
  clock::time_point began_;
};

}  // namespace troupe::feed
