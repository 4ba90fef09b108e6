#pragma once

#include <caf/all.hpp>
#include <chrono>
#include <cstddef>

namespace troupe {

/// CAF as Troupe uses it: our scheduling policy, bounded turns so that no busy mailbox starves the
/// rest, heartbeats on links. That a peer is silent is no business of CAF's: the membership judges
/// it, and a link on which nothing comes for long is cut by its pump.
class engine_config : public caf::actor_system_config {
 public:
  /// `threads`: 0 means as many as cores.
  explicit engine_config(std::size_t threads,
                         std::chrono::milliseconds heartbeat = std::chrono::milliseconds(200));
};

}  // namespace troupe
