#pragma once

#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "runtime/entity/entity.hpp"
#include "runtime/entity/ingress.hpp"

// Feeds: what a symbol's shard (the source) and the shards of its followers say to each other.
//
// Everything rests on pieces. A piece says: these are all events of this entity in [from, next) of
// its partition. That is true for ever, whoever says it and however late it comes, because the log
// does not change. So a follower needs no trust in owners, epochs or links: it joins pieces whose
// ranges meet, drops what it has, and reads what is missing from the log. The numbers of packets
// serve only to notice a loss early.
namespace troupe {

/// All events of one entity in [from, next) of its partition; `events` may hold others before
/// `from`.
struct feed_piece {
  entity_id of;
  position from;
  position next;
  event_batch_ptr events;  // Null: none.
  record_batch_ptr raw;    // At the source: the records that the events were decoded from.
};

/// One wish of a shard for feeds of another; a later one replaces all earlier ones.
struct feed_lane {
  epoch era;  // The follower's.
  std::uint64_t number = 0;
  auto operator<=>(const feed_lane&) const = default;
};

/// From a source to one shard of followers.
struct feed_packet {
  shard_id source;
  feed_lane lane;
  /// 1, 2, 3 ... within the lane. A packet without pieces repeats the last number: nothing more was
  /// sent.
  std::uint64_t number = 0;
  bool acknowledge = false;  // The source waits for a sign that this has arrived.
  bool cut = false;          // The last of this lane: the follower was too slow.
  std::vector<feed_piece> pieces;
};

/// From a shard of followers to a source.
struct feed_request {
  shard_id from;
  feed_lane lane;
  std::uint64_t acknowledged = 0;                // Packet of this lane that has arrived.
  std::optional<std::vector<entity_id>> wanted;  // A new lane: everything it wants from here on.
};

struct feed_limits {
  std::chrono::milliseconds heartbeat{1000};
  std::chrono::milliseconds silence_max{2500};  // Then the follower asks again.
  std::chrono::milliseconds answer_max{300};    // The same while it waits for the first packet.
  std::chrono::milliseconds read_again{250};    // After history was out of reach, or at its end.
  std::size_t window_bytes = 8U << 20;          // Payload on its way to one shard; then it is cut.
  std::size_t buffer_events_max = 10'000;       // Kept for slow followers of one entity ...
  std::size_t buffers_events_max = 500'000;     // ... and of all entities that a shard follows.
  std::size_t span_events_max = 1'000;          // Given to an entity at a time.
  /// How far a cursor may lie behind for want of events: what is read again after a restart, at
  /// most, though nothing happened.
  std::int64_t silent_records_max = 50'000;
};

/// Index of the first event at `from` or behind it.
inline std::size_t first_event(const event_batch& events, position from) {
  std::size_t low = 0, high = events.size();
  while (low < high) {
    const auto middle = (low + high) / 2;
    if (events.at(middle) < from)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

}  // namespace troupe
