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
  std::int64_t next = 0;             // The offset to go on from.
};

/// Reads a partition from `into.next` up to `end`. Throws when the broker does not answer, or a
/// record has no sequence.
void read_egress(const std::string& brokers, const std::string& topic, std::int32_t partition,
                 std::int64_t end, egress_partition& into);

}  // namespace troupe::test
