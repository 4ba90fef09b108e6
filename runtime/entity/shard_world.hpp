#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/entity/entity.hpp"
#include "runtime/entity/feed_follower.hpp"
#include "runtime/entity/ingress.hpp"
#include "runtime/store/shard_store.hpp"

namespace troupe {

/// A client's request that waits for its answer.
using request_ref = strong_id<struct request_ref_tag, std::uint64_t>;

/// Names one logged input: what a quarantine entry is keyed by.
struct input_ref {
  /// Topic, `timer`, `shard:N`, `request`, `call:SERVICE` or `feed:kind/key`.
  std::string source;
  std::int64_t place = 0;  // Offset, due time in µs, or sequence.
  std::string key;         // Timer (`kind/key/name`), request id, follower; empty for logs.

  auto operator<=>(const input_ref&) const = default;
};

/// An input that has failed too often, to be set aside when the shard meets it again.
struct poison {
  input_ref input;
  entity_id entity;
  std::string reason;
};

/// Why a shard stopped.
struct shard_failure {
  enum class kind : std::uint8_t {
    entity,  // An entity threw: `input` tells on what.
    store,   // A commit failed or its outcome is unknown; the store is out of reach, or has been
             // for so long that the node's lease is lost.
    fenced,  // Another incarnation owns the shard.
    state,   // A state cannot be loaded or saved, or log and store do not belong together: an
             // operator must look.
    log,     // The log was truncated and the operator's option says stop.
    lease,   // The node may have no shards any more: it stops, or was declared dead.
    defect,  // A broken invariant of the host itself.
  };
  kind what = kind::defect;
  std::string reason;
  input_ref input;
  entity_id entity;
};

/// What an entity was doing when it failed.
enum class entity_task : std::uint8_t { load, save, handle, feed, absorb };

/// What a shard machine asks of its surroundings. Every call returns at once; what it leads to
/// comes back as an `on_...` call of the machine, on the same thread, later.
class shard_world : public feed_port {
 public:
  virtual time_point now() const = 0;
  /// Whether this node may still speak for its shards.
  virtual bool lease_valid() const = 0;
  /// Whether an earlier life of the shard ended for want of the store, and none has lived since.
  virtual bool store_lost() const = 0;

  virtual void take() = 0;                                                  // on_taken
  virtual void commit(store::commit_batch batch) = 0;                       // on_committed
  virtual void load(std::vector<entity_id> ids) = 0;                        // on_loaded
  virtual void find_answer(std::string request, std::uint64_t serial) = 0;  // on_answer_found

  virtual void open_egress(epoch era) = 0;  // on_egress_opened
  virtual void publish(epoch era,
                       const store::outbox_row& row) = 0;        // on_delivered, on_egress_lost
  virtual void send_to_shard(const store::outbox_row& row) = 0;  // on_channel_acknowledged
  virtual void acknowledge_channel(shard_id source, sequence up_to) = 0;

  virtual void assign(
      epoch era,
      std::vector<ingress_port::start> from) = 0;  // on_records, on_unreadable, on_log_end
  virtual void pause() = 0;
  virtual void resume() = 0;
  virtual void unassign() = 0;

  /// A packet for the followers in another shard, or this one. May get lost.
  virtual void send_feed(shard_id to, feed_packet what) = 0;

  /// Brings an entity to life in `slot`, from `row` or, without one, new. If its kind follows:
  /// on_follows.
  virtual void spawn(slot_id slot, const kind_def& kind, const entity_id& id,
                     const store::entity_row* row) = 0;
  virtual void absorb(slot_id slot, event_batch_ptr events,
                      record_batch_ptr from) = 0;                            // on_output_waiting
  virtual void handle(slot_id slot, message what) = 0;                       // on_handled
  virtual void feed(slot_id slot, const feed_follower::delivery& what) = 0;  // on_fed
  virtual void save(slot_id slot, std::uint64_t ticket) = 0;                 // on_saved
  virtual void retire(slot_id slot) = 0;

  virtual void call(const entity_id& from, effects::called what) = 0;  // on_call_answered
  virtual void answer(request_ref to, nlohmann::json what) = 0;
  /// Calls on_wake at about this time; an earlier wish replaces a later one.
  virtual void wake_at(time_point when) = 0;
  /// The shard lives: it takes work.
  virtual void live(epoch era) = 0;
  /// After `on_drain`: everything is committed, and Kafka has what is for it. What other shards
  /// have not acknowledged is the next owner's.
  virtual void drained(epoch era) = 0;
  /// The shard's memory can no longer be trusted: discard it. The machine does nothing more.
  virtual void fail(shard_failure why) = 0;
};

}  // namespace troupe
