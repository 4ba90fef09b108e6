#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "runtime/entity/status_board.hpp"

namespace troupe {

/// Health is progress: a process that answers but does not advance is unhealthy.
struct health_limits {
  /// How long a shard with work to do may stand still.
  std::chrono::seconds stalled_max{15};
  /// How old the oldest uncommitted input, and the oldest undelivered message, may get.
  std::chrono::seconds uncommitted_max{15};
  std::chrono::seconds undelivered_max{30};
};

struct health_report {
  bool healthy = true;
  bool ready = true;  // Every shard lives.
  std::vector<std::string> problems;
};

/// Judges what the hosts have posted. Pure.
health_report judge(const std::vector<status_board::entry>& shards, time_point now,
                    steady_time steady, const health_limits& limits);

}  // namespace troupe
