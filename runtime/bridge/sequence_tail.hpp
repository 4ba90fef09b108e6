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

/// The last sequence that a reader accepts who takes a record only when its sequence is the next
/// one. A failed delivery can leave its successors in the log without it: those are not out.
///
/// `seqs`: the shard's sequences at the end of its partition, in the order of the log. `whole`:
/// nothing stands before them. A writer never has more than `inflight_max` records unacknowledged,
/// so the last of `inflight_max` + 1 consecutive ones is out for certain; from there the reader's
/// rule decides.
sequence_tail read_tail(std::span<const std::int64_t> seqs, bool whole, std::size_t inflight_max);

}  // namespace troupe::bridge
