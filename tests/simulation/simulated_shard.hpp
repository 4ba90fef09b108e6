#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/entity/shard_machine.hpp"
#include "tests/simulation/simulated_connection.hpp"

namespace troupe::simulation {

struct world;
class simulated_node;

/// One life of a shard on a node: a real `shard_machine`, and around it what `shard_host` is to the
/// real one. Most planted bugs are made here, between the machine and the world.
class simulated_shard final : private shard_world,
                              public std::enable_shared_from_this<simulated_shard> {
 public:
  simulated_shard(world& w, simulated_node& node, shard_id shard, std::vector<poison> poisoned);

  using answer_to = std::function<void(const nlohmann::json&)>;
  void start() { machine_.start(); }
  void request(entity_id to, message what, std::string id, answer_to from);
  void show(entity_id of, answer_to from);
  void channel(shard_id source, const store::outbox_row& row);
  void acknowledged(const std::string& target, sequence up_to);
  void drain();
  void lease_lost();

  /// The epoch with which it takes work; nothing while it does not.
  std::optional<epoch> live_with() const { return live_; }

 private:
  time_point now() const override;
  bool lease_valid() const override;
  bool store_lost() const override { return false; }
  void take() override;
  void commit(store::commit_batch batch) override;
  void load(std::vector<entity_id> ids) override;
  void find_answer(std::string request, std::uint64_t serial) override;
  void open_egress(epoch era) override;
  void publish(epoch era, const store::outbox_row& row) override;
  void send_to_shard(const store::outbox_row& row) override;
  void acknowledge_channel(shard_id source, sequence up_to) override;
  void assign(epoch, std::vector<ingress_port::start>) override {}
  void pause() override {}
  void resume() override {}
  void unassign() override {}
  void spawn(slot_id slot, const kind_def& kind, const entity_id& id,
             const store::entity_row* row) override;
  void absorb(slot_id, event_batch_ptr, record_batch_ptr) override {}
  // Feeds have a simulation of their own.
  void ask_source(shard_id, feed_request) override {}
  void read_history(shard_id, const std::string&, position, std::vector<std::string>) override {}
  void send_feed(shard_id, feed_packet) override {}
  void feed(slot_id, const feed_follower::delivery&) override {}
  void handle(slot_id slot, message what) override;
  void save(slot_id slot, std::uint64_t ticket) override;
  void retire(slot_id slot) override { entities_[slot.value()] = {}; }
  void call(const entity_id&, effects::called) override {}
  void answer(request_ref to, nlohmann::json what) override;
  void wake_at(time_point when) override;
  void live(epoch era) override;
  void drained(epoch era) override;
  void fail(shard_failure why) override;

  /// Runs `step` here later, unless this life of the shard is over.
  void later(ms delay, std::function<void()> step);
  /// Asks the database: `step` here gets the answer.
  void ask(simulated_connection& on, simulated_connection::work what,
           std::function<void(simulated_connection::end)> step);
  /// One entity's mailbox: steps keep their order.
  void to_entity(slot_id slot, std::function<void()> step);
  request_ref remember(const std::string& id, answer_to from);
  void tamper(store::commit_batch& batch);
  void send_commit(const std::shared_ptr<const store::commit_batch>& batch);
  void committed(const std::shared_ptr<const store::commit_batch>& batch,
                 store::commit_outcome outcome);
  void applies_in_order(const message& what);

  world& world_;
  simulated_node& node_;
  const shard_id shard_;
  shard_machine machine_;
  struct resident {
    entity_id id;
    std::unique_ptr<entity> core;
    steady_time busy_until{};
  };
  std::vector<resident> entities_;  // By slot.
  struct client {
    std::string id;
    answer_to from;
  };
  std::map<std::uint64_t, client> clients_;
  std::uint64_t requests_ = 0;
  std::map<shard_id, sequence> handled_;  // By source: last message that reached its entity.
  steady_time egress_busy_until_{};
  bool egress_open_ = false;
  time_point woken_at_{};
  std::optional<epoch> live_;
  bool done_ = false;
};

}  // namespace troupe::simulation
