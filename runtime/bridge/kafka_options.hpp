#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::bridge {

/// A setting that the Kafka client does not take: says which, its value and why.
struct bad_kafka_setting : std::invalid_argument {
  using std::invalid_argument::invalid_argument;
};

/// How to reach Kafka: the same for everything that does.
struct kafka_options {
  /// host:port,host:port ...
  std::string brokers = "127.0.0.1:9092";
  /// Stands before the name of every topic: several clusters can share one Kafka.
  std::string topic_prefix;
  /// Further settings of the client (librdkafka's names), such as security.protocol. What
  /// correctness hangs on (idempotence, offset handling) cannot be changed.
  std::map<std::string, std::string> settings;
  /// Shown in the brokers' logs.
  std::string client_id = "troupe";

  std::string kafka_name(std::string_view topic) const { return topic_prefix + std::string(topic); }
};

/// Why the client does not take a setting; empty: it does. Does not repeat the value.
std::string refusal_of_setting(const std::string& name, const std::string& value);

struct ingress_options {
  kafka_options kafka;
  /// Names as in the catalog, in its order.
  std::vector<std::string> topics;
  /// Most records of a shard and topic that have been handed over and not yet dropped. At that many
  /// the partition waits, what has been prefetched of it too, until half of them are gone.
  std::int64_t shard_inflight_max = 20'000;
  /// The same for all shards together: above either, polling stops until half. More smooths, less
  /// bounds memory.
  std::int64_t inflight_max = 200'000;
  std::int64_t inflight_bytes_max = 256 << 20;
  /// Most records of one poll. Larger is cheaper a record, and coarser.
  std::uint32_t poll_records_max = 10'000;
  /// Fetching ahead of a partition stops at this many records, or at this much memory. A fetch
  /// under way comes on top. A record costs about 300 bytes besides itself.
  std::uint32_t prefetch_records = 50'000;
  std::uint32_t prefetch_kib_max = 8'192;
  /// How long a broker holds an empty fetch back; it is also how long a taken partition may wait
  /// for its first one.
  std::chrono::milliseconds fetch_wait{20};
};

struct egress_options {
  kafka_options kafka;
  /// How long a record waits for company. 0 drowns a broker in requests with many partitions.
  std::chrono::milliseconds linger{1};
  std::string compression = "lz4";
  /// When a record is not in the log after this, it is lost and the shard reopens. Bounds how late
  /// a record of a node that has lost its lease can still arrive; a broker that restarts slower
  /// costs a reopening.
  std::chrono::milliseconds message_timeout{5'000};
  /// Records of one shard and topic that the client may hold at once: also how far back `open` has
  /// to read.
  std::uint32_t lane_inflight_max = 256;
  /// Records of one shard and topic that wait for their turn. More are turned away, and the shard
  /// reopens once these are out: keep it above what the host hands out at once.
  std::uint32_t lane_queue_max = 100'000;
  /// Whether this node may still speak for its shards; asked before each record goes to the client.
  std::function<bool()> lease_valid = [] { return true; };
};

struct producer_options {
  kafka_options kafka;
  std::chrono::milliseconds linger{5};
  std::string compression = "lz4";
  /// 0: a record is tried for ever.
  std::chrono::milliseconds message_timeout{0};
  /// Records that wait in memory; `send` blocks above it.
  std::uint32_t queue_records_max = 100'000;
};

}  // namespace troupe::bridge
