#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "runtime/bridge/kafka_options.hpp"

namespace troupe::bridge {

/// A record to send; everything is copied.
struct outgoing_record {
  std::string_view key;
  std::string_view payload;
  /// Kafka's time, milliseconds since 1970; nothing: now.
  std::optional<std::int64_t> timestamp_ms;
  /// Nothing: by the key, as `partition_of` does.
  std::optional<std::uint32_t> partition;
  /// Comes back with the delivery.
  std::uint64_t token = 0;
};

/// What became of a record.
struct delivery {
  std::uint64_t token = 0;
  std::uint32_t partition = 0;
  std::int64_t offset = -1;
  /// Empty: it is in the log. Otherwise a fixed name.
  std::string_view error;
};

struct producer_figures {
  std::uint64_t sent = 0;
  std::uint64_t delivered = 0;
  std::uint64_t failed = 0;
  std::string last_error;
};

/// Sends keyed records in order, each at most once in the log while this object lives; brokers that
/// go away are waited for. Partitions are chosen as Kafka's own Java producer chooses them. One
/// thread sends; deliveries are told on a thread of this object's, in the order of each partition.
class kafka_producer {
 public:
  using on_delivery = std::function<void(const delivery&)>;
  enum class result : std::uint8_t {
    sent,
    full,    // The queue stayed full for as long as the caller would wait.
    failed,  // The record is refused (too large, unknown topic), or the producer is beyond repair:
             // see `figures`.
  };

  /// Throws bad_kafka_setting.
  explicit kafka_producer(producer_options options, on_delivery delivered = {});
  /// Drops what has not been sent; `flush` first.
  ~kafka_producer();

  result send(const std::string& topic, const outgoing_record& record,
              std::chrono::milliseconds wait = std::chrono::hours(24));
  /// Waits until everything has been told; false after `wait`.
  bool flush(std::chrono::milliseconds wait);

  producer_figures figures() const;

 private:
  class engine;
  std::unique_ptr<engine> engine_;
};

}  // namespace troupe::bridge
