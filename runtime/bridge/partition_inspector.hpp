#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/base/job_thread.hpp"
#include "runtime/bridge/kafka_client.hpp"

namespace troupe::bridge {

/// Asks brokers what a polling thread must not wait for. Answers come on a thread of its own.
class partition_inspector {
 public:
  struct range {
    std::int64_t low = 0;
    std::int64_t high = 0;
  };
  /// Nothing: no broker has answered.
  using on_range = std::function<void(std::optional<range>)>;
  /// 0: there is no such topic. Nothing: no broker has answered.
  using on_count = std::function<void(std::optional<std::uint32_t>)>;

  /// After its end nothing is answered any more.
  explicit partition_inspector(std::shared_ptr<rdk::client> client);

  void find_range(std::string topic, std::uint32_t partition, on_range answer);
  void count_partitions(std::string topic, on_count answer);
  /// Ends of these partitions of one topic, in their order, -1 where there may be no such
  /// partition; nothing: no broker has answered.
  using on_ends = std::function<void(std::vector<std::int64_t>)>;
  void find_ends(rdk::partitions_ptr partitions, on_ends answer);
  /// Sends a small request to the brokers of these partitions: the client's thread that fetches
  /// from a broker may sleep for up to a second beside what it should fetch, and wakes up by it.
  void nudge(rdk::partitions_ptr partitions);

 private:
  const std::shared_ptr<rdk::client> client_;
  job_thread asker_;
};

}  // namespace troupe::bridge
