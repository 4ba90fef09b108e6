#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <vector>

#include "runtime/entity/commit_builder.hpp"
#include "runtime/entity/feed_follower.hpp"
#include "runtime/entity/feed_source.hpp"
#include "runtime/entity/outbox.hpp"
#include "runtime/entity/residents.hpp"
#include "runtime/entity/shard_progress.hpp"
#include "runtime/entity/shard_world.hpp"
#include "runtime/entity/timers.hpp"
#include "runtime/entity/unit.hpp"

namespace troupe {

/// Operators' numbers for one shard; see docs/configuration.md for their trade-offs.
struct shard_limits {
  std::chrono::milliseconds checkpoint_interval{1000};
  std::chrono::milliseconds output_delay{50};
  std::int64_t catch_up_records = 20'000;
  std::int64_t uncommitted_records_max = 500'000;
  std::size_t outbox_max = 50'000;
  std::size_t inbox_max = 10'000;
  std::chrono::seconds idle_timeout{600};
  std::chrono::seconds requests_remembered{604'800};
  std::chrono::milliseconds channel_resend{1000};
  std::size_t channel_window = 256;  // Messages to one shard that it has not acknowledged.
  bool go_on_when_truncated = false;
  feed_limits feeds;
};

/// What every shard host of a node shares: immutable.
struct shard_setup {
  catalog things;
  shard_limits limits;
  std::function<shard_id(const entity_id&)> shard_of;
};

/// One shard from taking it to losing it, as a state machine without threads, clocks or I/O: calls
/// come in one at a time, what it wants goes out through `shard_world`. Two planes share its
/// commits:
/// - the *log plane*: log-fed entities take batches as they come; a checkpoint saves all that
/// changed, their rows and the
///   log's position together;
/// - the *unit plane*: inputs run one after another, each to its end, while the previous ones
/// commit. A failed or ambiguous commit, an entity that throws, a lost lease: `fail`, and a new
/// machine starts from the store.
class shard_machine {
 public:
  shard_machine(shard_id id, const shard_setup& setup, shard_world& world,
                std::vector<poison> poisoned = {});

  void start();

  void on_taken(std::optional<store::taken_shard> taken, store::commit_outcome why);
  void on_egress_opened(const std::map<std::string, sequence>& out);
  void on_records(const record_batch_ptr& batch);
  void on_unreadable(const unreadable_log& log);
  void on_log_end(std::uint32_t topic, position end);
  void on_loaded(const std::vector<entity_id>& asked,
                 std::optional<std::vector<store::entity_row>> rows);

  /// A message from outside. `request` may be empty; with one, repeating it has no second effect.
  /// Every request gets exactly one answer unless the shard fails first.
  void on_request(entity_id to, message what, std::string request, request_ref from);
  /// The committed state of an entity as JSON; nothing else changes.
  void on_show(entity_id of, request_ref from);
  /// `serial`: the unit for which it was looked up. What another unit is told may be older.
  void on_answer_found(std::uint64_t serial, std::optional<std::optional<std::string>> answer);
  /// A service's answer to a call of this entity; whatever is unexpected is the entity's to judge.
  void on_call_answered(entity_id to, const effects::called& asked, nlohmann::json answer);
  void on_channel(shard_id source, sequence seq, entity_id to, message what);
  void on_channel_acknowledged(const std::string& target, sequence up_to);

  /// `follows`: what the entity follows now; nothing if its kind follows nothing, or if that has
  /// not changed.
  using follows_now = std::optional<std::vector<followed>>;
  void on_handled(slot_id slot, effects decided, const follows_now& follows = {});
  /// `done`: the first of the offered events that it has not taken.
  void on_fed(slot_id slot, std::size_t done, effects decided, const follows_now& follows);
  void on_follows(slot_id slot, const std::vector<followed>& follows);  // After its loading.
  void on_output_waiting(slot_id slot);
  void on_saved(slot_id slot, std::uint64_t ticket, std::string state, effects output);
  /// `event`: the one on which it failed, if it was one (always for `absorb`).
  void on_entity_failed(slot_id slot, entity_task doing, std::string reason,
                        std::optional<position> event);

  void on_feed_request(const feed_request& from);
  void on_feed_packet(const feed_packet& packet);
  void on_history(shard_id source, const std::string& kind, const history_chunk& read);
  /// The shard has a new owner.
  void on_source_live(shard_id source);

  void on_committed(store::commit_outcome outcome);
  void on_delivered(const std::string& topic, sequence seq);
  void on_egress_lost(const std::string& topic, const std::string& reason);
  void on_wake();
  /// Takes nothing in any more; commits what there is and delivers what is for Kafka, then
  /// `drained`. A shard that is not live yet lets go as soon as it has been taken.
  void on_drain();
  /// `for_ever`: the node was declared dead. Else it could not renew, and may yet.
  void on_lease_lost(bool for_ever);
  /// The host itself broke an invariant.
  void on_defect(std::string reason) {
    fail({shard_failure::kind::defect, std::move(reason), {}, {}});
  }

  shard_progress progress() const;
  bool failed() const { return phase_ == phase::failed; }
  /// As taken; 0: never.
  epoch era() const { return era_; }

 private:
  enum class phase : std::uint8_t { created, taking, opening, live, failed };
  struct log_topic {  // One ingress topic's partition.
    std::unique_ptr<decoder> decode;
    position next;     // First record not yet taken.
    position applied;  // Unit plane: first record whose unit has not ended.
    std::int64_t end = 0;
    time_point waits_since{};  // Since when it goes further than what came; epoch: it does not.
    bool log_fed = false;
    std::int64_t taken = 0;      // Records applied since the shard went live ...
    std::int64_t closing = 0;    // ... of those, in the batch that is being committed ...
    std::int64_t committed = 0;  // ... and durable.
  };
  class records_sink;
  friend class records_sink;

  // Life (shard_machine.cpp)
  void go_live();
  void fail(shard_failure why);
  void fail_if_owner(shard_failure why);
  void hand_out();
  void wake_when_needed();
  void spare_intervals(time_point now);
  void relieve();
  void drain_further();

  // Log plane (shard_log.cpp)
  void take_records(std::uint32_t topic, const record_batch_ptr& batch);
  bool set_aside(std::uint32_t topic, const record_view& record);
  void decode_span(std::uint32_t topic, std::span<const record_view> records,
                   const record_batch_ptr& batch, bool for_feeds_only = false);
  void deliver_events(const kind_def& kind, std::string_view key, event_batch_ptr events,
                      const record_batch_ptr& from);
  void dead_letter(const std::string& source, std::int64_t place, std::string_view key,
                   std::string_view payload, std::string_view reason, std::string_view detail);
  void hold_back_if_full();
  void note_end(log_topic& log, std::int64_t end, bool taken) const;
  void go_on_behind_gap(const unreadable_log& log);

  // Unit plane (shard_units.cpp)
  /// Kafka does not take what the shard has to say: no unit runs until it does.
  bool bridge_full() const;
  /// Why no request is taken at this moment; null if it is.
  nlohmann::json refusal() const;
  nlohmann::json not_live_refusal() const;
  void refuse_waiting_clients();
  nlohmann::json unknown_kind(std::string_view name) const;
  void enqueue(unit u);
  void run_units();
  bool batch_full() const;
  bool ready_to_run(unit& u);
  bool begin_next();
  void begin_unit(unit u);
  void count_unit();
  void step_unit();
  void merge(slot_id slot, effects done);
  void end_unit();
  void pass_over(unit u, const poison& p);
  void quarantine(const unit& u, const poison& p);
  std::deque<running_unit::delivery> told_of(const poison& p);
  void tell_quarantined(const std::string& source, std::int64_t place, const entity_id& of,
                        const poison& p);
  void advance(const unit& u);
  void finish(unit u, nlohmann::json answer);
  void answer_again(const unit& u, const std::string& answer);

  // Feeds (shard_feeds.cpp)
  bool begin_feed();
  std::deque<running_unit::delivery> spare_poison(unit& u);
  void follow(slot_id slot, const std::vector<followed>& all);
  void feeds_moved();
  void tend_feeds();
  void revive_followers(const std::vector<entity_id>& following);
  std::optional<position> taken_of(std::string_view kind) const;
  nlohmann::json feeds_of(slot_id slot) const;

  // Commits (shard_commit.cpp)
  std::int64_t uncommitted_records() const;
  bool checkpoint_due() const;
  void maybe_commit();
  void close_batch();
  void send_batch();
  void close_checkpoint();
  void await_save(slot_id slot);
  void show(slot_id slot, const std::string& state);
  void release_answers(open_batch& batch);
  void forget_answers();

  slot_id resident(const kind_def& kind, const entity_id& id);
  void mark_changed(slot_id slot);
  /// Nothing of it waits to be committed or shown, or is being committed, and nothing is under way
  /// to it: it can be loaded again as it is.
  bool at_rest(slot_id slot);
  void retire(slot_id slot);
  void load_missing();
  const kind_def* find_kind(std::string_view name) const;
  const poison* find_poison(const input_ref& input) const;

  // Fixed at construction.
  const shard_id id_;
  const shard_setup& setup_;
  shard_world& world_;
  std::vector<poison> poisoned_;

  phase phase_ = phase::created;
  epoch era_;
  std::vector<log_topic> logs_;                      // By index of the catalog's ingress list.
  std::map<shard_id, sequence> channels_;            // Last sequence accepted, by source shard ...
  std::map<shard_id, sequence> channels_committed_;  // ... and the last that is durable.

  residents residents_;
  std::vector<entity_id> to_load_;
  std::size_t loading_ = 0;  // Entities on their way from the store.
  outbox outbox_;
  timers timers_;

  std::deque<unit> inbox_;
  std::uint64_t enqueued_ = 0;
  std::optional<running_unit> running_;
  answer_memory answers_;

  open_batch open_;                       // What goes with the next commit.
  open_batch log_open_;                   // Log plane: what goes with the next checkpoint.
  std::vector<slot_id> changed_;          // By a log or a feed: saved by the next checkpoint.
  std::optional<closing_batch> closing_;  // States are being gathered, or the commit is under way.
  std::optional<shard_failure> doubt_;    // Looked like a failure; an owner's only if it still is.
  std::uint64_t tickets_ = 0;
  bool output_waiting_ = false;
  bool checkpoint_now_ = false;
  bool held_back_ = false;
  bool draining_ = false;
  feed_source source_;
  feed_follower follower_;
  std::vector<entity_id> following_;  // Until the shard is live.
  bool feeds_turn_ = false;
  time_point beat_at_{};
  time_point phase_since_{};  // Of taking and opening.
  time_point last_checkpoint_{};
  time_point resend_at_{};
  shard_progress progress_;
  time_point open_since_{};         // When the oldest record or unit came that is in no batch yet.
  time_point undelivered_since_{};  // Since when messages wait without one being acknowledged.
  time_point closing_since_{};      // The same for the closing batch.
};

}  // namespace troupe
