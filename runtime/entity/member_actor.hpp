#pragma once

#include <caf/all.hpp>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "runtime/base/job_thread.hpp"
#include "runtime/cluster/links.hpp"
#include "runtime/cluster/membership.hpp"
#include "runtime/entity/actor_messages.hpp"
#include "runtime/entity/shard_router.hpp"

namespace troupe {

/// What a member actor needs of its node. Outlives it.
struct member_environment {
  cluster::link_self self;  // With its incarnation and its links.
  cluster::membership_options options;
  store::cluster_store* store = nullptr;
  shard_router* router = nullptr;
  const clock_source* clock = nullptr;
  caf::actor admin;  // Answers requests that another node passes on.
  /// A node was declared dead, here or by another; may come more than once. Null: nobody asks.
  std::function<void(incarnation life, const std::string& id)> died;
};

/// What a node knows of its peers, for status. Thread-safe.
class cluster_board {
 public:
  struct contents {
    store::cluster_view view;
    std::map<incarnation, caf::actor> members;  // Linked ones, without this node.
  };
  void post(contents now) {
    const std::lock_guard lock(mutex_);
    now_ = std::move(now);
  }
  contents read() const {
    const std::lock_guard lock(mutex_);
    return now_;
  }

 private:
  mutable std::mutex mutex_;
  contents now_;
};

/// This node's end of its links to other nodes: drives the membership, passes channel messages to
/// and from other nodes' shards, and requests to this node's admin actor. Asking its store and
/// dialling happen on threads of its own.
class member_actor final : public caf::event_based_actor, private cluster::membership_world {
 public:
  member_actor(caf::actor_config& config, const member_environment* environment,
               cluster_board* board);

  caf::behavior make_behavior() override;
  void on_exit() override;

 private:
  void read() override;
  void lead(store::cluster_decision what) override;
  void dial(const store::cluster_view::node& peer) override;
  void send(incarnation peer, const cluster::member_message& what) override;
  void forget(incarnation peer) override;
  void expired(const store::cluster_view::node& peer) override;
  void host(shard_id shard) override;
  void hand_over(shard_id shard) override;
  void locate(shard_id shard, incarnation at) override;

  const std::string& id() const { return environment_.self.who.name; }
  incarnation life() const { return environment_.self.life; }
  steady_time now() const { return environment_.clock->steady(); }
  template <class Step>
  void drive(Step step);
  void greet(incarnation peer, const caf::actor& member);
  void link(incarnation peer, const caf::actor& member);
  void drop(incarnation peer);
  std::string hello() const;
  void on_tick();
  void on_supervisor(const caf::actor& supervisor);
  void on_released(shard_id shard);
  void on_lost(shard_id shard);
  caf::result<caf::unit_t> on_drain();
  caf::result<std::string> on_order(const std::string& text);
  void on_view_read(const view_read& m);
  void on_lead_answered(const lead_answered& m);
  void on_dialed(const peer_dialed& m);
  void on_heard(const peer_heard& m);
  void on_order_carried_out(const order_carried_out& m);

  // What other nodes send is refused by name when it makes no sense; it never throws.
  void on_down(const caf::down_msg& m);
  std::string on_hello(const std::string& text);
  void on_member(const std::string& text);
  void on_look();
  /// A row of another shard's outbox as it comes.
  struct channel_text {
    shard_id source;
    sequence seq;
    const std::string& to;
    const std::string& payload;
  };
  void on_channel(shard_id target, const channel_text& m);
  void on_follow(shard_id source, const std::string& bytes);
  template <class Message>
  void pass_to(shard_id shard, Message what);

  void tell_deaths(const store::cluster_decision& decided) const;
  void on_live(shard_id shard);
  void tell_source_live(shard_id shard);
  void relocate();
  void leave_when_empty();

  const member_environment& environment_;
  cluster_board& board_;
  cluster::membership core_;
  caf::actor supervisor_;
  std::map<incarnation, caf::actor> links_;
  std::map<shard_id, incarnation> located_;
  std::unique_ptr<job_thread> asker_;
  std::unique_ptr<job_thread> dialer_;
  // Shards on their way to life; told of once all of them have arrived.
  std::set<shard_id> arriving_;
  std::size_t arrived_ = 0;
  steady_time arriving_since_{};
  steady_time link_lost_{};
  caf::response_promise drained_;
  steady_time drain_until_ = steady_time::max();
};

}  // namespace troupe
