#pragma once

#include <deque>
#include <map>
#include <set>
#include <vector>

#include "runtime/base/clock.hpp"
#include "runtime/entity/shard_world.hpp"

namespace troupe {

/// Operators' numbers for restarts; see docs/configuration.md.
struct supervision_limits {
  std::size_t restarts_per_minute_max = 10;
  std::size_t quarantine_after_restarts = 2;
  std::chrono::milliseconds backoff{100};
  std::chrono::milliseconds backoff_max{5000};
};

/// What becomes of one shard that failed, in OTP's manner. Pure.
class shard_supervision {
 public:
  explicit shard_supervision(const supervision_limits& limits) : limits_(&limits) {}

  struct verdict {
    bool restart = true;
    std::chrono::milliseconds after{0};
    std::string alert;  // Why it was given up.
    bool quarantined = false;
  };
  /// An entity that throws, and a defect, count against the budget; an unreachable store or a lost
  /// lease do not: they are retried for as long as it takes. State that cannot be used and a
  /// truncated log need an operator.
  verdict on_failure(const shard_failure& why, steady_time now);
  /// Inputs that have failed too often.
  const std::vector<poison>& poisoned() const { return poisoned_; }

 private:
  std::chrono::milliseconds next_backoff(steady_time now);

  const supervision_limits* limits_;
  std::deque<steady_time> restarts_;
  std::map<input_ref, std::size_t> failures_;
  std::vector<poison> poisoned_;
  unsigned attempts_ = 0;  // In the current row of failures.
  steady_time last_failure_{};
};

}  // namespace troupe
