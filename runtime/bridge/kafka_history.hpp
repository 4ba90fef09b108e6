#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "runtime/base/job_thread.hpp"
#include "runtime/bridge/history_reader.hpp"
#include "runtime/entity/feed_decoder.hpp"

namespace troupe::bridge {

/// What followers have missed, read from Kafka on threads of its own: each partition on one of
/// them.
class kafka_history final : public history_port {
 public:
  /// Throws bad_kafka_setting.
  kafka_history(const kafka_options& options, std::vector<ingress_def> topics,
                std::size_t threads = 2);
  ~kafka_history() override;

  void read(std::uint32_t topic, shard_id partition, position from, std::vector<std::string> keys,
            std::function<void(history_chunk)> done) override;

 private:
  history_chunk read_now(feed_decoder& decoder, std::uint32_t topic, shard_id partition,
                         position from, const std::vector<std::string>& keys);

  const std::vector<ingress_def> topics_;
  history_reader reader_;
  std::atomic<bool> stopping_{false};
  struct worker;
  std::vector<std::unique_ptr<worker>> workers_;
};

}  // namespace troupe::bridge
