#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace troupe::bridge {

/// What the end of a shard's egress partition says.
struct sequence_tail {
  std::int64_t last = 0;  // Last sequence that is out; 0: none.
  bool certain = false;   // Otherwise more of the log has to be read.
};

/// How much of a partition has been read, up to its end.
enum class log_part : std::uint8_t {
  some,        // More stands before it.
  rest,        // All that there is; what was before has expired.
  from_first,  // All that there ever was: what does not begin with 1 has lost its beginning.
};

/// The last sequence that a reader accepts who takes a record only when its sequence is the next
/// one. A failed delivery can leave its successors in the log without it: those are not out.
///
/// `seqs`: the shard's sequences at the end of its partition, in the order of the log. A writer
/// never has more than `inflight_max` records unacknowledged, so the last of `inflight_max` + 1
/// consecutive ones is out for certain; from there the reader's rule decides.
sequence_tail read_tail(std::span<const std::int64_t> seqs, log_part part,
                        std::size_t inflight_max);

}  // namespace troupe::bridge
