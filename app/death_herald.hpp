#pragma once

#include <caf/all.hpp>
#include <set>
#include <string>
#include <vector>

#include "runtime/base/ids.hpp"
#include "runtime/entity/actor_messages.hpp"

namespace troupe::app {

/// Tells channels of nodes that were declared dead. Every node that hears of a death tells it, so
/// that none is missed when the judge dies, too: by its id it counts once. A channel whose shard is
/// on its way to another node is told again until it answers.
class death_herald final : public caf::event_based_actor {
 public:
  /// `admin` passes on to the channel's shard, wherever that is.
  death_herald(caf::actor_config& config, caf::actor admin, std::vector<std::string> channels);
  /// Takes `(order_atom, incarnation, node id)`.
  caf::behavior make_behavior() override;
  void on_exit() override { admin_ = nullptr; }

 private:
  void tell(const std::string& channel, std::int64_t life, const std::string& node, int attempt);

  caf::actor admin_;
  const std::vector<std::string> channels_;
  std::set<std::int64_t> told_;
};

}  // namespace troupe::app
