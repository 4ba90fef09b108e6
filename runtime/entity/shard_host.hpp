#pragma once

#include <caf/all.hpp>
#include <unordered_map>

#include "runtime/entity/actor_messages.hpp"
#include "runtime/entity/feed_decoder.hpp"
#include "runtime/entity/service_port.hpp"
#include "runtime/entity/shard_router.hpp"
#include "runtime/entity/status_board.hpp"

namespace troupe {

/// What the shard hosts of a node share. Outlives them.
struct host_environment {
  shard_setup setup;
  store::shard_store* store = nullptr;
  ingress_port* ingress = nullptr;
  egress_port* egress = nullptr;
  history_port* history = nullptr;
  service_port* services = nullptr;  // Null: no kind calls any.
  const clock_source* clock = nullptr;
  incarnation self;
  std::function<bool()> lease_valid;
  status_board* board = nullptr;
  shard_router* router = nullptr;
};

/// The actor of one shard: carries between its machine and store, bridge, entities and clients.
class shard_host final : public caf::event_based_actor, private shard_world {
 public:
  shard_host(caf::actor_config& config, shard_id shard, const host_environment* environment,
             caf::actor supervisor, std::vector<poison> poisoned);

  caf::behavior make_behavior() override;
  void on_exit() override;

 private:
  time_point now() const override { return environment_.clock->now(); }
  bool lease_valid() const override { return environment_.lease_valid(); }
  bool store_lost() const override { return environment_.board->store_lost(shard_); }
  void take() override;
  void commit(store::commit_batch batch) override;
  void load(std::vector<entity_id> ids) override;
  void find_answer(std::string request, std::uint64_t serial) override;
  void open_egress(epoch era) override;
  void publish(epoch era, const store::outbox_row& row) override;
  void send_to_shard(const store::outbox_row& row) override;
  void acknowledge_channel(shard_id source, sequence up_to) override;
  void ask_source(shard_id source, feed_request what) override;
  void read_history(shard_id source, const std::string& kind, position from,
                    std::vector<std::string> keys) override;
  void send_feed(shard_id to, feed_packet what) override;
  void assign(epoch era, std::vector<ingress_port::start> from) override;
  void pause() override { environment_.ingress->pause(shard_); }
  void resume() override { environment_.ingress->resume(shard_); }
  void unassign() override { environment_.ingress->unassign(shard_); }
  void spawn(slot_id slot, const kind_def& kind, const entity_id& id,
             const store::entity_row* row) override;
  void absorb(slot_id slot, event_batch_ptr events, record_batch_ptr from) override;
  void handle(slot_id slot, message what) override;
  void feed(slot_id slot, const feed_follower::delivery& what) override;
  void save(slot_id slot, std::uint64_t ticket) override;
  void retire(slot_id slot) override;
  void call(const entity_id& from, effects::called what) override;
  void answer(request_ref to, nlohmann::json what) override;
  void wake_at(time_point when) override;
  void live(epoch era) override;
  void drained(epoch era) override;
  void fail(shard_failure why) override;

  /// Runs `step` on the machine; a broken invariant takes the shard down.
  template <class Step>
  void drive(Step step);
  /// The same for what the entity in `slot` says. One that was retired may still have had something
  /// to say: it is not meant of whoever has the slot now.
  template <class Step>
  void drive_from(slot_id slot, Step step);
  /// A callback for another thread that runs `step(machine, arguments...)` here.
  template <class Step>
  auto later(Step step);
  void on_feed_bytes(const std::string& text);
  request_ref remember_client();
  /// Every client that still waits gets this answer.
  void refuse_clients(std::string_view error, std::string_view detail);
  /// Runs `ask(machine, reference of the client)`; its answer is the client's.
  template <class Ask>
  caf::result<std::string> on_client(Ask ask);
  void post_progress(bool always);

  const shard_id shard_;
  const host_environment& environment_;
  caf::actor supervisor_;
  shard_machine machine_;
  feed_decoder feed_decoder_;
  std::vector<caf::actor> entities_;  // By slot.
  std::unordered_map<std::uint64_t, caf::response_promise> clients_;
  std::uint64_t requests_ = 0;
  time_point woken_at_{};  // The earliest wish that is on its way; epoch if none.
  steady_time posted_{};
  bool progress_due_ = false;
  bool done_ = false;
};

}  // namespace troupe
