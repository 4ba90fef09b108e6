#pragma once

#include <nlohmann/json.hpp>

#include "app/failure.hpp"
#include "app/settings.hpp"

namespace troupe::app {

/// The node could not be asked: `node_unavailable`, or `timeout` when it took too long.
struct client_error : failure {
  using failure::failure;
};

/// A connection to a node's admin actor.
class client {
 public:
  /// Throws client_error.
  explicit client(const settings& of);
  ~client();
  client(const client&) = delete;
  client& operator=(const client&) = delete;

  /// One request of admin_actor.hpp and its answer. Throws client_error when none comes in time.
  nlohmann::json ask(const nlohmann::json& request);

 private:
  struct connection;
  std::unique_ptr<connection> connection_;
  const std::string node_;
};

}  // namespace troupe::app
