#pragma once

#include <caf/all.hpp>
#include <list>

#include "runtime/entity/shard_host.hpp"
#include "runtime/entity/supervision.hpp"

namespace troupe {

/// Supervises the shard hosts of this node: starts those that the membership wants hosted, restarts
/// those that fail, gives up by the rules of `shard_supervision`, and lets them drain when they are
/// handed over and at the end.
class supervisor_actor final : public caf::event_based_actor {
 public:
  /// `member` hears `(live_atom, shard)`, `(released_atom, shard)` when a shard has been handed
  /// over, and `(lost_atom, shard)` when another node turned out to have it.
  supervisor_actor(caf::actor_config& config, const host_environment* environment,
                   supervision_limits limits, caf::actor member);

  caf::behavior make_behavior() override;

 private:
  struct child {
    shard_id shard;
    shard_supervision rules;
    caf::actor host;  // Null while it waits for its restart.
    bool leaving = false;
    bool given_up = false;
    epoch era{0};  // Under which it failed last.
  };

  void on_host(shard_id shard);
  void on_hand_over(shard_id shard);
  void on_live(shard_id shard);
  void start(child& c);
  void drain(child& c);
  void release(const child& c);
  void gone(shard_id shard, caf::message news);
  void on_failed(const shard_failed& m);
  void on_restart(shard_id shard);
  void on_lease(bool valid, bool for_ever);
  void on_stop();
  void on_down(const caf::down_msg& m);
  void stop_when_empty();
  child* find(shard_id shard);

  const host_environment& environment_;
  const supervision_limits limits_;
  const caf::actor member_;
  std::list<child> children_;
  bool lease_ = true;
  bool stopping_ = false;
};

}  // namespace troupe
