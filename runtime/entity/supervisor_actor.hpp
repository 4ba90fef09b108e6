#pragma once

#include <caf/all.hpp>
#include <vector>

#include "runtime/entity/shard_host.hpp"
#include "runtime/entity/supervision.hpp"

namespace troupe {

/// Supervises the shard hosts of this node: starts them, restarts those that fail, gives up by the
/// rules of `shard_supervision`, and lets them drain at the end.
class supervisor_actor final : public caf::event_based_actor {
 public:
  supervisor_actor(caf::actor_config& config, const host_environment* environment,
                   supervision_limits limits, std::vector<shard_id> shards);

  caf::behavior make_behavior() override;

 private:
  struct child {
    shard_id shard;
    shard_supervision rules;
    caf::actor host;  // Null while it waits for its restart.
    bool given_up = false;
  };

  void start(child& c);
  void on_failed(const shard_failed& m);
  void on_restart(shard_id shard);
  void on_lease(bool valid);
  void on_stop();
  void on_down(const caf::down_msg& m);
  void stop_when_empty();
  child* find(shard_id shard);

  const host_environment& environment_;
  const supervision_limits limits_;
  std::vector<child> children_;
  bool lease_ = true;
  bool stopping_ = false;
};

}  // namespace troupe
