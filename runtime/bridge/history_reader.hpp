#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/bridge/kafka_options.hpp"
#include "runtime/bridge/topic_admin.hpp"
#include "runtime/entity/ingress.hpp"

namespace troupe::bridge {

/// Records of a partition, in order.
struct history_batch {
  enum class outcome : std::uint8_t {
    read,       // `records` may be empty: nothing came in time, or the end was reached.
    truncated,  // The log does not hold the position: it goes from `begin` to `log_end`.
    unknown_partition,
    unavailable,  // No broker answered in time; `reason` says more.
  };
  outcome what = outcome::read;
  std::string reason;
  std::vector<record_view> records;
  position next;                  // Where to read on; behind all that is known to be no record.
  position begin;                 // Only with `truncated`.
  position log_end;               // As last known.
  std::shared_ptr<void> storage;  // Owns what the views point at.
};

struct history_limits {
  std::size_t records_max = 10'000;
  /// Payload bytes; passed by at most a few hundred records.
  std::size_t bytes_max = 4 << 20;
  std::chrono::milliseconds wait{5'000};
};

/// Reads partitions from an offset. Calls wait; any number of threads may call, those for the same
/// partition wait for each other. Reading on where the last call stopped costs nothing extra; a
/// jump costs a fetch.
class history_reader {
 public:
  /// `open_max`: partitions that stay open between calls, each with a few MiB read ahead. Throws
  /// bad_kafka_setting.
  explicit history_reader(const kafka_options& options, std::size_t open_max = 64);
  ~history_reader();

  /// Returns as soon as there is something to return: a full batch, or what there is at the end of
  /// the log. At the end it waits for one more record.
  history_batch read(const std::string& topic, std::uint32_t partition, position from,
                     const history_limits& limits);

  /// Nothing if the partition is unknown or no broker answers.
  std::optional<log_range> range(const std::string& topic, std::uint32_t partition,
                                 std::chrono::milliseconds wait);

 private:
  class engine;
  std::unique_ptr<engine> engine_;
};

}  // namespace troupe::bridge
