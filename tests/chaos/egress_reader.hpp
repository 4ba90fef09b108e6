#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "runtime/bridge/history_reader.hpp"
#include "tests/support/node_process.hpp"

namespace troupe::test {

/// An egress partition as a reader sees it who takes a record only when its sequence is the next
/// one.
struct egress_partition {
  std::vector<std::string> taken;    // `key payload`, in order.
  std::vector<std::string> skipped;  // In the log too early, or again.
  std::int64_t next = 0;             // The offset to go on from.
};

/// Reads a partition from `into.next` up to `end`. Throws when the broker does not answer, or a
/// record has no sequence.
void read_egress(const std::string& brokers, const std::string& topic, std::int32_t partition,
                 std::int64_t end, egress_partition& into);

/// An egress topic, read as it grows.
class egress_topic {
 public:
  egress_topic(const cluster_folder& folder, std::string name);

  /// Calls `each` with the key and the payload of every record since the last call. Everything must
  /// be delivered: checks that as many can be taken of each partition as its shard has numbered.
  void read(const std::function<void(const std::string&, const std::string&)>& each);
  std::size_t taken() const;
  std::size_t skipped() const;

 private:
  const cluster_folder& folder_;
  const std::string name_;
  const bridge::kafka_options kafka_;
  bridge::history_reader log_;
  std::vector<egress_partition> read_;
};

}  // namespace troupe::test
