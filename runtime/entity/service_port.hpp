#pragma once

#include <functional>
#include <nlohmann/json.hpp>

#include "runtime/entity/entity.hpp"

namespace troupe {

/// What is outside of the cluster, as entities call it by name.
class service_port {
 public:
  virtual ~service_port() = default;
  using answered = std::function<void(nlohmann::json)>;
  /// Returns at once, from any thread. `done` is called at most once, from any thread, within a
  /// time that the service bounds; a service that is overloaded says so in its answer.
  virtual void call(const effects::called& what, answered done) = 0;
};

}  // namespace troupe
