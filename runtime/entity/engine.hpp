#pragma once

#include <caf/all.hpp>
#include <cstddef>

namespace troupe {

/// CAF as Troupe uses it: our scheduling policy, bounded turns so that no busy mailbox starves the
/// rest, heartbeats on links.
class engine_config : public caf::actor_system_config {
 public:
  /// `threads`: 0 means as many as cores.
  explicit engine_config(std::size_t threads);
};

}  // namespace troupe
