#pragma once

#include <deque>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "runtime/entity/shard_machine.hpp"
#include "tests/support/durable.hpp"

namespace troupe::test {

/// The surroundings of one shard machine in one thread: everything asked for waits in `pending`
/// until the test lets it happen, in any order that the real one could have.
class model_world final : public shard_world {
 public:
  model_world(durable& disk, const shard_setup& setup, time_point& clock)
      : disk_(disk), setup_(setup), clock_(clock) {}

  std::unique_ptr<shard_machine> machine;
  std::deque<std::function<void()>> store_calls;   // In order, as one connection would.
  std::deque<std::function<void()>> store_reads;   // On another connection.
  std::deque<std::function<void()>> entity_calls;  // In order, as one mailbox chain would.
  std::deque<std::function<void()>> egress_calls;
  std::deque<std::function<void()>> ingress_calls;
  std::deque<std::function<void()>> feed_calls;  // Between the machine and itself.
  std::deque<std::function<void()>> history_calls;
  bool feeds_lost = false;  // What comes live gets lost.
  std::map<std::uint64_t, nlohmann::json> replies;
  std::vector<std::pair<entity_id, effects::called>> calls;
  std::optional<shard_failure> failure;
  /// What the next commits end as, instead of what they deserve: the row may be durable or not.
  enum class fault { none, lost_before, lost_after } next_commit = fault::none;
  bool lease = true;
  bool without_store = false;  // As an earlier life found.
  bool kafka_away = false;     // Nothing of `egress_calls` happens.
  bool paused = false;
  bool live_ = false;
  bool drained_ = false;

  /// Lets one waiting call of a random queue happen; false when nothing waits.
  bool step(std::mt19937_64& random);
  void run_all();
  /// Sends up to `count` records of the partition that have not been sent in this life.
  bool feed(std::uint32_t topic, std::size_t count);

  time_point now() const override { return clock_; }
  bool lease_valid() const override { return lease; }
  bool store_lost() const override { return without_store; }
  void take() override;
  void commit(store::commit_batch batch) override;
  void load(std::vector<entity_id> ids) override;
  void find_answer(std::string request, std::uint64_t serial) override;
  void open_egress(epoch era) override;
  void publish(epoch era, const store::outbox_row& row) override;
  void send_to_shard(const store::outbox_row& row) override { to_shards.push_back(row); }
  void acknowledge_channel(shard_id source, sequence up_to) override {
    acknowledged[source] = up_to;
  }
  void assign(epoch era, std::vector<ingress_port::start> from) override;
  void pause() override { paused = true; }
  void resume() override { paused = false; }
  void unassign() override { reading_.clear(); }
  void spawn(slot_id slot, const kind_def& kind, const entity_id& id,
             const store::entity_row* row) override;
  void absorb(slot_id slot, event_batch_ptr events, record_batch_ptr from) override;
  void ask_source(shard_id, feed_request what) override;
  void read_history(shard_id source, const std::string& kind, position from,
                    std::vector<std::string> keys) override;
  void send_feed(shard_id to, feed_packet what) override;
  void call(const entity_id& from, effects::called what) override {
    calls.emplace_back(from, std::move(what));
  }
  void feed(slot_id slot, const feed_follower::delivery& what) override;
  void handle(slot_id slot, message what) override;
  void save(slot_id slot, std::uint64_t ticket) override;
  void retire(slot_id slot) override { cores_[slot.value()] = {}; }
  void answer(request_ref to, nlohmann::json what) override {
    replies[to.value()] = std::move(what);
  }
  void wake_at(time_point when) override { wake = std::min(wake.value_or(when), when); }
  void live(epoch) override { live_ = true; }
  void drained(epoch) override { drained_ = true; }
  void fail(shard_failure why) override { failure = std::move(why); }

  std::vector<store::outbox_row> to_shards;
  std::map<shard_id, sequence> acknowledged;
  std::optional<time_point> wake;

 private:
  struct resident_core {
    entity_id id;
    std::unique_ptr<entity> core;  // Null: it could not be loaded, and is deaf.
    effects output;
    bool told = false;
    bool follows = false;
  };
  std::shared_ptr<record_batch> read(std::uint32_t topic, std::int64_t from,
                                     std::size_t count) const;

  durable& disk_;
  const shard_setup& setup_;
  time_point& clock_;
  std::vector<resident_core> cores_;
  std::map<std::uint32_t, std::int64_t> reading_;  // Topic to next offset to send.
};

}  // namespace troupe::test
