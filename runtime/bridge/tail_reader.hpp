#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "runtime/base/ids.hpp"
#include "runtime/bridge/kafka_options.hpp"

namespace troupe::bridge {

/// Reads the ends of egress partitions: which sequence of a shard is out. One consumer and one
/// thread for all shards, whose partitions are read side by side. Tries until it knows.
class tail_reader {
 public:
  using answer = std::function<void(std::map<std::string, sequence>)>;

  tail_reader(const kafka_options& options, std::uint32_t inflight_max);
  ~tail_reader();

  /// Answers on the reader's thread with the last sequence in each topic's partition; a later
  /// request for the same shard replaces this one.
  void read(shard_id shard, std::vector<std::string> topics, answer to);
  void cancel(shard_id shard);

 private:
  class worker;
  std::unique_ptr<worker> worker_;
};

}  // namespace troupe::bridge
