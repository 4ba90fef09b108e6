#pragma once

#include <nlohmann/json.hpp>
#include <stdexcept>

#include "app/settings.hpp"

namespace troupe::app {

/// The node could not be asked; the text goes to the user.
struct client_error : std::runtime_error {
  using std::runtime_error::runtime_error;
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
};

}  // namespace troupe::app
