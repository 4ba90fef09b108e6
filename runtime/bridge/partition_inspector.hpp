#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

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

  explicit partition_inspector(std::shared_ptr<rdk::client> client);
  /// Answers nothing any more.
  ~partition_inspector();

  void find_range(std::string topic, std::uint32_t partition, on_range answer);
  void count_partitions(std::string topic, on_count answer);
  /// Sends a small request to the brokers of these partitions: the client's thread that fetches
  /// from a broker may sleep for up to a second beside what it should fetch, and wakes up by it.
  void nudge(rdk::partitions_ptr partitions);

 private:
  void post(std::function<void()> job);
  void run();

  const std::shared_ptr<rdk::client> client_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> jobs_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace troupe::bridge
