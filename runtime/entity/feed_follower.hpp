#pragma once

#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "runtime/entity/feed.hpp"

namespace troupe {

/// What a follower asks of its surroundings; each call returns at once.
class feed_port {
 public:
  virtual ~feed_port() = default;
  /// May get lost.
  virtual void ask_source(shard_id source, feed_request what) = 0;
  /// Reads a source's log from a position, for these keys of a kind: `on_history`, always.
  virtual void read_history(shard_id source, const std::string& kind, position from,
                            std::vector<std::string> keys) = 0;
};

/// How a shard's feeds are.
struct feed_state {
  std::size_t followed = 0;     // Cursors: one for each pair of entities.
  std::size_t catching_up = 0;  // Of those, reading the log.
  std::int64_t lag = 0;         // Records of partitions between cursors and live ends, summed.
};

/// The followers' end of feeds, for all entities of one shard: joins what comes live, fills what is
/// missing from the log, and hands every entity its events in order from its own cursor. What is
/// slow (an entity, or one that waits) falls out of the bounded buffer and reads the log at its own
/// pace. Pure: time comes with the call.
class feed_follower {
 public:
  /// For one entity; comes back with `consumed`.
  struct delivery {
    slot_id slot;
    entity_id of;
    event_batch_ptr events;  // Null: none.
    std::size_t first = 0, end = 0;
    position next;
    std::int64_t missing = 0;
  };

  feed_follower(shard_id self, const feed_limits& limits, feed_port& out,
                std::function<shard_id(const entity_id&)> shard_of)
      : self_(self), limits_(limits), out_(out), shard_of_(std::move(shard_of)) {}

  void begin(epoch era) { era_ = era; }

  /// What this entity follows now, as its state says.
  void set(slot_id slot, const std::vector<followed>& all);
  /// It is gone from memory.
  void drop(slot_id slot) { set(slot, {}); }
  bool follows(slot_id slot) const { return by_slot_.contains(slot); }

  void on_packet(const feed_packet& p, time_point now);
  /// The source has a new owner that knows nobody yet.
  void on_source_live(shard_id source);
  void on_history(shard_id source, const std::string& kind, const history_chunk& read,
                  time_point now);
  void on_tick(time_point now);

  /// The next stretch for any of the entities; each has one at a time.
  std::optional<delivery> next();
  /// The entity has had it: to its end, or only a part, and waits (`set` says from where).
  void consumed(const delivery& d, bool all);
  /// The state of an entity has changed: what waited is offered again.
  void resume(slot_id slot);

  /// Asks for what is needed; to be called after every other call.
  void flush(time_point now);
  /// When on_tick should come at the latest.
  std::optional<time_point> next_tick() const;

  feed_state state() const;
  /// Cursor and lag of everything that one entity follows.
  struct view {
    const entity_id* of;
    position next;
    std::int64_t lag;
    bool live;
  };
  std::vector<view> views(slot_id slot) const;

 private:
  struct stream;
  struct track {  // One entity's way through one stream.
    slot_id slot;
    stream* of = nullptr;
    position next;    // Nothing before it is needed any more ...
    position told;    // ... and this is what the entity knows of it.
    feed_piece read;  // From the log, while it is behind.
    std::int64_t missing = 0;
    bool queued = false, busy = false, waits = false, hungry = false;
  };
  struct history {  // One source's log of one kind.
    std::set<std::pair<position, track*>> hungry;
    bool reading = false;
    std::vector<std::string> keys;       // Asked for.
    history_chunk last;                  // What came last ...
    std::vector<std::string> last_keys;  // ... for these keys.
    time_point read_at{}, again_at{};
  };
  using history_key = std::pair<shard_id, std::string>;
  struct stream {  // One followed entity.
    entity_id id;
    shard_id source;
    history* log = nullptr;
    std::map<slot_id, track> tracks;
    std::deque<feed_piece> recent;  // Joined, up to `live`.
    std::size_t recent_events = 0;
    std::optional<position> live;  // End of what came live.
    position live_from() const { return recent.empty() ? *live : recent.front().from; }
  };
  struct lane {
    feed_lane id;
    std::uint64_t expected = 1;
    time_point heard{};
    bool answered = false, renew = true;
    std::size_t streams = 0;
  };

  stream& stream_of(const entity_id& id);
  void remove(track& t);
  void wake(track& t);
  void starve(track& t);
  void feed_up(track& t);
  bool take_read(track& t) const;
  std::optional<delivery> offer(track& t);
  bool take_piece(track& t, const event_batch_ptr& events, position end,
                  std::optional<delivery>& out) const;
  void join(const feed_piece& p);
  void trim(stream& s);
  void clear(stream& s);
  void count(const feed_packet& p, time_point now);
  void read_on(const history_key& key, history& h, time_point now);

  const shard_id self_;
  const feed_limits& limits_;
  feed_port& out_;
  const std::function<shard_id(const entity_id&)> shard_of_;
  epoch era_;
  std::uint64_t lane_number_ = 0;
  std::unordered_map<entity_id, stream> streams_;
  std::map<slot_id, std::vector<stream*>> by_slot_;
  std::map<history_key, history> logs_;
  std::map<shard_id, lane> lanes_;
  std::vector<shard_id> unwanted_;  // Sources that send though nobody follows.
  std::deque<track*> ready_;
  std::size_t buffered_ = 0;  // Events in all buffers.
};

}  // namespace troupe
