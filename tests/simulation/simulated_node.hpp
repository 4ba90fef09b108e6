#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "runtime/cluster/lease.hpp"
#include "runtime/cluster/membership.hpp"
#include "runtime/entity/supervision.hpp"
#include "tests/simulation/simulated_shard.hpp"

namespace troupe::simulation {

struct world;

/// One node: a real `membership` and a real `lease`, and around them what `member_actor`,
/// `supervisor_actor` and `lease_keeper` are to the real ones. It lives many lives.
class simulated_node final : private cluster::membership_world {
 public:
  simulated_node(world& w, int number) : world_(w), number_(number) {}

  int number() const { return number_; }
  std::string id() const { return "node-" + std::to_string(number_ + 1); }
  bool up() const { return core_ != nullptr; }
  bool runs(incarnation life) const { return up() && life == life_; }
  incarnation life() const { return life_; }
  bool lease_valid() const;

  // What befalls it
  void start();
  void crash();
  /// It stands still, and then goes on as if nothing had happened.
  void pause(ms length);
  void resume();
  /// An operator stops it: it gives its shards away first.
  void leave();
  bool leaves() const { return leave_until_.has_value(); }
  /// An operator's order that came to this node: it is written, and the others are told to look.
  void order(std::function<void(simulated_database&)> what);
  /// What this node knows of the cluster. Requires: it is up.
  const store::cluster_view& view() const { return core_->view(); }

  // From the world
  /// Runs `step` here after `delay`: once it goes on, if it is paused; never, if this life is over.
  void later(ms delay, std::function<void()> step);
  /// A client's request; without a message: what is the committed state?
  void request(const entity_id& to, const std::optional<message>& what, const std::string& id,
               simulated_shard::answer_to from);
  /// The epoch with which the shard takes work here.
  std::optional<epoch> live_with(shard_id shard) const;
  std::string text() const;

  // From its shards
  void to_shard(shard_id shard, const std::function<void(simulated_shard&)>& step);
  simulated_connection& connection(shard_id shard) { return line(2 * shard.value()); }
  /// For what only reads.
  simulated_connection& reading(shard_id shard) { return line(2 * shard.value() + 1); }
  void on_live(shard_id shard);
  void on_drained(shard_id shard);
  void on_failed(shard_id shard, const shard_failure& why);

 private:
  // membership_world
  void read() override;
  void lead(store::cluster_decision what) override;
  void dial(const store::cluster_view::node& peer) override;
  void send(incarnation peer, const cluster::member_message& what) override;
  void forget(incarnation peer) override { links_.erase(peer); }
  void expired(const store::cluster_view::node&) override {}
  void host(shard_id shard) override;
  void hand_over(shard_id shard) override;
  void locate(shard_id shard, incarnation at) override { located_[shard] = at; }

  struct child {  // As the supervisor knows a shard.
    shard_supervision rules;
    std::shared_ptr<simulated_shard> host;  // Null while it waits for its restart.
    bool live = false;
    bool leaving = false;
  };
  simulated_connection& line(std::uint32_t number);
  void tick();
  void look_at_links();
  void renew();
  void watch_lease();
  void leave_when_empty();
  void start_shard(shard_id shard);
  void restart_shard(shard_id shard);
  simulated_shard* find(shard_id shard);

  world& world_;
  const int number_;
  incarnation life_{0};
  std::unique_ptr<cluster::membership> core_;
  std::optional<cluster::lease> lease_;
  bool lease_held_ = false;
  std::optional<steady_time> leave_until_;
  bool paused_ = false;
  std::deque<std::function<void()>> held_back_;  // What came while it was paused.
  std::set<incarnation> links_;
  std::map<shard_id, incarnation> located_;
  std::map<shard_id, child> shards_;
  std::map<std::uint32_t, std::shared_ptr<simulated_connection>> lines_;
};

}  // namespace troupe::simulation
