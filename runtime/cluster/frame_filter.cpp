#include "runtime/cluster/frame_filter.hpp"

#include <algorithm>
#include <utility>

namespace troupe::cluster {

namespace {

enum operation : std::uint8_t {
  server_handshake,
  client_handshake,
  direct_message,
  routed_message,
  monitor_message,
  down_message,
  heartbeat,
};

template <class Number>
Number big_endian(std::string_view bytes) {
  Number out = 0;
  for (std::size_t i = 0; i < sizeof(Number); ++i)
    out = static_cast<Number>(out << 8) | static_cast<unsigned char>(bytes[i]);
  return out;
}

}  // namespace

constexpr std::uint8_t by_name = 1;  // A flag: for an actor of CAF's own.

struct frame_filter::header {
  std::uint8_t operation;
  std::uint8_t flags;
  std::uint32_t payload;
  std::uint64_t to;

  explicit header(std::string_view bytes)
      : operation(static_cast<std::uint8_t>(bytes[0])),
        flags(static_cast<std::uint8_t>(bytes[3])),
        payload(big_endian<std::uint32_t>(bytes.substr(4))),
        to(big_endian<std::uint64_t>(bytes.substr(24))) {}
};

/// Why a frame may not pass, apart from its size.
std::string frame_filter::fault_of(const header& h, std::string_view payload) const {
  if (h.operation > heartbeat) return "no frame of CAF";
  if (!greeted_ && h.operation > client_handshake) return "a message before the handshake";
  if (rules_.only_to == 0) return {};
  if (h.operation == routed_message) return "an operator may speak to this node only";
  if (h.operation == direct_message && !payload.starts_with(rules_.content))
    return "an operator may send requests only";
  return {};
}

/// From an operator to anybody else: CAF asks every new peer for its spawn server, answers the same
/// question, and watches whoever has written to it. Nothing of it has a purpose here.
bool frame_filter::is_of_no_use(const header& h) const {
  if (rules_.only_to == 0) return false;
  if (h.operation == direct_message) return (h.flags & by_name) != 0 || h.to != rules_.only_to;
  return h.operation == monitor_message && h.to != rules_.only_to;
}

/// Judges the frame that begins here; false when more of it must be seen first.
bool frame_filter::judge_head(std::string_view head) {
  if (head.size() < header_size) return false;
  const header h(head);
  const auto most = greeted_ ? rules_.bytes_max : handshake_frame_bytes_max;
  const bool large = h.payload > most;
  const bool unanswered = is_of_no_use(h);
  const auto needed = rules_.only_to == 0 || h.operation != direct_message || unanswered
                          ? 0
                          : std::min<std::size_t>(rules_.content.size(), h.payload);
  if (head.size() < header_size + needed) return false;
  const auto fault = unanswered && greeted_ ? "" : fault_of(h, head.substr(header_size, needed));
  if (!fault.empty()) return refuse(fault), true;
  if (large) {
    auto why =
        "a frame of " + std::to_string(h.payload) + " bytes, the most is " + std::to_string(most);
    if (!rules_.leave_out_large) return refuse(std::move(why)), true;
    left_out_ = std::move(why);
  }
  dropping_ = large || unanswered;
  greeted_ = true;
  size_ = open_ = header_size + h.payload;
  return true;
}

frame_filter::verdict frame_filter::judge(std::string_view waiting) {
  verdict v;
  while (refusal_.empty()) {
    const auto rest = waiting.substr(v.pass + v.drop);
    if (open_ == 0 && (!judge_head(rest) || open_ == 0)) break;
    const auto n = std::min(open_, rest.size());
    if (n == 0) break;
    if (!dropping_ && v.drop > 0) break;  // What passes must come before what does not.
    (dropping_ ? v.drop : v.pass) += n;
    open_ -= n;
  }
  return v;
}

}  // namespace troupe::cluster
