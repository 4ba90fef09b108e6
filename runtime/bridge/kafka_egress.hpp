#pragma once

#include <memory>

#include "runtime/bridge/kafka_options.hpp"
#include "runtime/entity/ingress.hpp"

namespace troupe::bridge {

/// The log on the way out, to Kafka: one idempotent producer for all shards of a node. Headers
/// `shard`, `epoch` and `seq` are decimal text.
///
/// Of each shard and topic only so many records are with the client at once, the rest wait here;
/// nothing ever waits on the caller's thread. The first failure of a shard (a record not in the log
/// in time, a full queue, a lost lease, a broken producer) ends its opening: `lost` once, and
/// nothing more is sent until the host opens it again, which waits for what is still in flight and
/// finds out what is in the log. `delivered` means that the sequence and all before it are.
class kafka_egress final : public egress_port {
 public:
  /// Throws bad_kafka_setting.
  explicit kafka_egress(egress_options options);
  /// Waits a moment for what is in flight.
  ~kafka_egress() override;

  void open(shard_id shard, epoch era, std::vector<std::string> topics, listener to) override;
  void publish(shard_id shard, epoch era, const std::string& topic, sequence seq,
               std::string_view key, std::string_view payload) override;
  void close(shard_id shard) override;

 private:
  class engine;
  std::unique_ptr<engine> engine_;
};

}  // namespace troupe::bridge
