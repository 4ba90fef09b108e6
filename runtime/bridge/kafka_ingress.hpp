#pragma once

#include <memory>
#include <optional>

#include "runtime/bridge/kafka_options.hpp"
#include "runtime/entity/ingress.hpp"

namespace troupe::bridge {

class ingress_poller;

/// The log on the way in, from Kafka: one consumer and one thread for all shards of a node.
/// Partitions are assigned by position, never by group. Records stay in the buffers that they were
/// fetched into until their batch is dropped, on whatever thread; what is not yet dropped counts as
/// in flight and holds the shard, or the poll, back.
///
/// Brokers that go away are waited for. A topic or partition that does not exist is reported as
/// unknown, after several looks at it.
class kafka_ingress final : public ingress_port {
 public:
  /// Throws bad_kafka_setting.
  explicit kafka_ingress(ingress_options options);
  /// Hands nothing over any more; batches that are still held stay valid.
  ~kafka_ingress() override;

  /// A second call with the same `assignment` moves the named topics and leaves the shard's others
  /// alone; with another it replaces everything that the shard had.
  void assign(shard_id shard, std::int64_t assignment, std::vector<start> from,
              receiver to) override;
  void unassign(shard_id shard) override;
  void pause(shard_id shard) override;
  void resume(shard_id shard) override;

  /// Since when no broker has been reached; nothing while one is.
  std::optional<steady_time> away_since() const;
  /// Records handed over and not yet dropped.
  std::int64_t inflight() const;

 private:
  std::unique_ptr<ingress_poller> poller_;
};

}  // namespace troupe::bridge
