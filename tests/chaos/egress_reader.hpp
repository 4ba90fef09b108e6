#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace troupe::test {

/// An egress partition as a reader sees it who takes a record only when its sequence is the next
/// one.
struct egress_partition {
  std::vector<std::string> taken;    // `key payload`, in order.
  std::vector<std::string> skipped;  // In the log too early, or again.
};

/// Reads all of a partition. Throws when the broker does not answer, or a record has no sequence.
egress_partition read_egress(const std::string& brokers, const std::string& topic,
                             std::int32_t partition, std::int64_t begin, std::int64_t end);

}  // namespace troupe::test
