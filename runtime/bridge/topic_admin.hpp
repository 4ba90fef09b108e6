#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/base/ids.hpp"
#include "runtime/bridge/kafka_options.hpp"

namespace troupe::bridge {

struct topic_spec {
  std::string name;  // Without the prefix.
  std::uint32_t partitions = 1;
  /// Copies that Kafka keeps; no more than it has brokers.
  std::uint16_t replication = 1;
  /// Kafka's topic settings, such as retention.ms; for topics that are made, not for existing ones.
  std::map<std::string, std::string> config;
};

struct topic_report {
  std::vector<std::string> created;
  /// One sentence each, beginning with the topic's name in Kafka where it is about one.
  std::vector<std::string> problems;
  bool ok() const { return problems.empty(); }
};

/// Offsets [begin, end) that a partition holds.
struct log_range {
  position begin;
  position end;
};

/// Makes topics and measures logs. Every call waits, at most the time that it is given.
class topic_admin {
 public:
  using timeout = std::chrono::milliseconds;

  /// Throws bad_kafka_setting.
  explicit topic_admin(const kafka_options& options);
  ~topic_admin();

  /// Makes the topics that are missing and waits until each has its leaders. Others may do the same
  /// at the same time. A topic with another number of partitions, or one that cannot be made, is a
  /// problem; so are brokers that do not answer in time.
  topic_report ensure_topics(const std::vector<topic_spec>& topics, timeout wait);

  /// Deletes topics with all their records, and waits until Kafka knows them no more. One sentence
  /// for each that could not be deleted; one that does not exist is deleted already.
  std::vector<std::string> remove_topics(const std::vector<std::string>& topics, timeout wait);

  /// Number of partitions of each of `topics` that exists; nothing if no answer came.
  std::optional<std::map<std::string, std::uint32_t>> partitions(
      const std::vector<std::string>& topics, timeout wait);
  /// Nothing if the partition does not exist or no answer came.
  std::optional<log_range> range(const std::string& topic, std::uint32_t partition, timeout wait);
  /// Of partitions 0 to `partitions` - 1, in two round trips; empty if one of them is not known.
  std::vector<log_range> ranges(const std::string& topic, std::uint32_t partitions, timeout wait);

 private:
  class connection;
  std::unique_ptr<connection> connection_;
};

}  // namespace troupe::bridge
