#pragma once

#include <chrono>

#include "app/feed/pace.hpp"
#include "runtime/bridge/kafka_producer.hpp"

namespace troupe::feed {

/// Tells, once, that Kafka takes nothing: when that has lasted for five seconds.
class stall_notice {
 public:
  /// Kafka has taken nothing since this object was made.
  void look();

 private:
  const std::chrono::steady_clock::time_point since_ = std::chrono::steady_clock::now();
  bool told_ = false;
};

/// Waits until everything is in the log, as long as that takes, and says so; ten seconds at most
/// once interrupted.
bool flush_patiently(bridge::kafka_producer& producer);

}  // namespace troupe::feed
