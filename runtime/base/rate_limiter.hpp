#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "runtime/base/clock.hpp"

namespace troupe {

/// Lets at most so many events of a name through in a second that begins with the first of them,
/// and remembers how many it held back. Names must come from a small fixed set: each is remembered
/// for good. Not thread-safe.
class rate_limiter {
 public:
  explicit rate_limiter(std::uint32_t events_max) : max_(events_max) {}

  /// Events a second; 0 means no limit. What was held back is still told.
  void set_max(std::uint32_t events) { max_ = events; }

  /// Returns nothing when the event must be held back, else how many were since the last one let
  /// through.
  std::optional<std::uint64_t> admit(const std::string& name, steady_time now) {
    window& w = windows_[name];
    if (w.admitted == 0 || now - w.begin >= std::chrono::seconds(1)) {
      w.begin = now;
      w.admitted = 0;
    }
    if (max_ != 0 && w.admitted >= max_) {
      ++w.held_back;
      return std::nullopt;
    }
    ++w.admitted;
    return std::exchange(w.held_back, 0);
  }

 private:
  struct window {
    steady_time begin{};
    std::uint64_t admitted = 0;
    std::uint64_t held_back = 0;
  };

  std::uint32_t max_;
  std::unordered_map<std::string, window> windows_;
};

}  // namespace troupe
