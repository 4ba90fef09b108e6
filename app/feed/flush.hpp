#pragma once

#include <chrono>

#include "app/feed/pace.hpp"
#include "runtime/bridge/kafka_producer.hpp"

namespace troupe::feed {

/// Waits until everything is in the log, as long as that takes; ten seconds at most once
/// interrupted.
inline bool flush_patiently(bridge::kafka_producer& producer) {
  constexpr auto look = std::chrono::milliseconds(200);
  for (int last_looks = 50; last_looks > 0; last_looks -= interrupted() ? 1 : 0)
    if (producer.flush(look)) return true;
  return false;
}

}  // namespace troupe::feed
