#pragma once

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "runtime/entity/feed.hpp"

namespace troupe {

/// The source's end of feeds: who follows which entities of this shard, and how far each has been
/// sent. Never waits for a follower: one whose window is full is cut off. Pure.
class feed_source {
 public:
  /// End of what the shard has decoded of this kind's log; nothing if it has no such log.
  using taken = std::function<std::optional<position>(std::string_view kind)>;
  using send = std::function<void(shard_id to, feed_packet what)>;

  feed_source(shard_id self, const feed_limits& limits) : self_(self), limits_(limits) {}

  void on_request(const feed_request& from, const taken& end);
  /// Decoded events: all of this entity up to `next` behind what came before.
  void took(std::string_view kind, std::string_view key, const event_batch_ptr& events,
            const record_batch_ptr& raw, position next);
  /// The log has lost records: nothing can be said about what lies before `first`.
  void skipped(std::string_view kind, position first);
  /// Sends what has gathered.
  void flush(const send& out);
  /// Tells every follower that it is there, and how far the silent ones are.
  void beat(const taken& end, const send& out);

  bool followed() const { return !lanes_.empty(); }
  std::size_t lanes() const { return lanes_.size(); }
  std::int64_t cuts() const { return cuts_; }

 private:
  struct text_hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>{}(text);
    }
  };
  struct piece {
    feed_piece what;
    std::size_t bytes;
  };
  struct stretch {  // Of a batch.
    position next;
    std::size_t bytes;
  };
  struct subscription {
    shard_id to;
    position next;  // End of what has been sent.
  };
  using by_key =
      std::unordered_map<std::string, std::vector<subscription>, text_hash, std::equal_to<>>;
  struct lane {
    feed_lane id;
    std::uint64_t sent = 0;
    std::deque<std::pair<std::uint64_t, std::size_t>> unacknowledged;  // Packet and its bytes.
    std::size_t bytes = 0;                                             // Of those ...
    std::size_t bytes_unasked = 0;  // ... since the last packet that asked for a sign.
    std::vector<piece> pieces;      // To go with the next packet.
    std::size_t pieces_bytes = 0;
  };

  void forget(shard_id follower);
  void post(shard_id to, lane& l, const send& out) const;
  void add(lane& l, feed_piece what, std::size_t bytes);
  static std::vector<stretch> stretches_of(const event_batch& events, const record_batch& raw,
                                           position next);

  const shard_id self_;
  const feed_limits& limits_;
  std::map<std::string, by_key, std::less<>> subscriptions_;  // By kind and key.
  std::map<shard_id, lane> lanes_;
  std::int64_t cuts_ = 0;
};

}  // namespace troupe
