#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace troupe::cluster {

/// The largest frame that passes a link. CAF makes room for a frame as soon as it has read how
/// long it is to be, up to 4 GiB, so this is what one peer can make a node allocate.
constexpr std::uint32_t frame_bytes_max = 32U << 20;
/// The same for frames of an operator, and of anyone before the handshake of CAF is over.
constexpr std::uint32_t operator_frame_bytes_max = 1U << 20;
constexpr std::uint32_t handshake_frame_bytes_max = 64U << 10;
/// A frame that may take a while on a slow network, and what its sender says meanwhile behind it.
constexpr std::uint32_t large_frame_bytes = 64U << 10;

/// Which frames may pass one direction of a link.
struct frame_rules {
  std::uint32_t bytes_max = frame_bytes_max;
  /// A frame that is too large is left out; else it ends the link.
  bool leave_out_large = false;
  /// Only messages to this actor pass, and only if their content begins with `content`; those to
  /// others are left out. 0: all.
  std::uint64_t only_to = 0;
  std::string content;
};

/// Follows a stream of CAF's frames (BASP 0.17: a header of 32 bytes, then the payload) and tells
/// what of it may go on. Keeps no bytes.
class frame_filter {
 public:
  explicit frame_filter(frame_rules rules) : rules_(std::move(rules)) {}

  /// What is to be done with the beginning of the bytes that have come and not been dealt with.
  struct verdict {
    std::size_t pass = 0;  // First so many go on,
    std::size_t drop = 0;  // then so many are left out.
  };
  /// `waiting`: everything that was neither passed nor dropped so far. Once `refusal` says
  /// something, nothing passes any more. Requires: at least `look_ahead` bytes fit in where the
  /// caller keeps them.
  verdict judge(std::string_view waiting);

  /// Why the link must end; empty: it goes on.
  const std::string& refusal() const { return refusal_; }
  /// Why the last frame was left out; asking clears it.
  std::string left_out() { return std::exchange(left_out_, {}); }
  /// Whether more is to come of a frame that is larger than `large_frame_bytes`.
  bool within_large_frame() const { return open_ > 0 && size_ > large_frame_bytes; }
  /// Bytes that may have to be seen at once.
  std::size_t look_ahead() const { return header_size + rules_.content.size(); }

  static constexpr std::size_t header_size = 32;

 private:
  struct header;
  void refuse(std::string why) { refusal_ = std::move(why); }
  std::string fault_of(const header& h, std::string_view payload) const;
  bool is_of_no_use(const header& h) const;
  bool judge_head(std::string_view head);

  const frame_rules rules_;
  std::size_t size_ = 0;  // Of the present frame,
  std::size_t open_ = 0;  // and what of it is still to come, in bytes.
  bool dropping_ = false;
  bool greeted_ = false;  // The first frame was a handshake.
  std::string refusal_;
  std::string left_out_;
};

}  // namespace troupe::cluster
