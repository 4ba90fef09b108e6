#include "runtime/bridge/sequence_tail.hpp"

namespace troupe::bridge {

namespace {

/// Index of the last record of the last run of `length` consecutive sequences; size() if there is
/// none.
std::size_t find_run(std::span<const std::int64_t> seqs, std::size_t length) {
  std::size_t run = 1;
  for (std::size_t i = seqs.size(); i-- > 0;) {
    if (run >= length) return i + length - 1;
    run = i > 0 && seqs[i - 1] == seqs[i] - 1 ? run + 1 : 1;
  }
  return seqs.size();
}

}  // namespace

sequence_tail read_tail(std::span<const std::int64_t> seqs, log_part part,
                        std::size_t inflight_max) {
  const auto sure = find_run(seqs, inflight_max + 1);
  const bool certain = part != log_part::some || sure < seqs.size();
  std::int64_t last = 0;
  if (sure < seqs.size()) {
    last = seqs[sure];
    seqs = seqs.subspan(sure + 1);
  } else if (part != log_part::from_first && !seqs.empty()) {
    last = seqs.front();
    seqs = seqs.subspan(1);
  }
  for (const auto seq : seqs) {
    // Without a certain start the writer's own step back is the better witness: too low costs
    // doubles, too high records.
    if (seq == last + 1 || (!certain && seq < last)) last = seq;
  }
  return {last, certain};
}

}  // namespace troupe::bridge
