#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "runtime/bridge/kafka_options.hpp"

namespace troupe::testing {

using namespace bridge;

/// The tests' own Kafka.
bridge::kafka_options kafka();

/// `start`, `stop` or `kill` for the tests' Kafka; throws when that fails.
void services(const std::string& action);

/// A name that no other test has.
std::string unique_name(const std::string& stem);
/// Makes a topic of a unique name.
std::string make_topic(const std::string& stem, std::uint32_t partitions);

/// Waits until it holds; false after `most`.
bool wait_until(const std::function<bool()>& holds,
                std::chrono::seconds most = std::chrono::seconds(60));

struct seen_record {
  std::int64_t offset = -1;
  std::int64_t timestamp_ms = -1;
  std::string key;
  std::string payload;
  std::string shard, epoch, seq;  // Headers.
};
/// Everything that a partition holds, read by a client of its own.
std::vector<seen_record> read_all(const std::string& topic, std::uint32_t partition);

/// Keyless records "0", "1", ... into one partition.
void fill(const std::string& topic, std::uint32_t partition, int from, int to);
/// The same as one transaction, which leaves a mark of its own behind them.
void fill_in_transaction(const std::string& topic, std::uint32_t partition, int from, int to);
/// Removes what stands before `offset`.
void truncate(const std::string& topic, std::uint32_t partition, std::int64_t offset);
void delete_topic(const std::string& topic);
/// Deletes it and makes an empty one of the same name.
void make_anew(const std::string& topic, std::uint32_t partitions);

}  // namespace troupe::testing
