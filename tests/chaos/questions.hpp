#pragma once

#include <future>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "app/client.hpp"
#include "tests/support/node_process.hpp"

namespace troupe::test {

/// Questions that an operator puts to a node while it does not run.
class questions {
 public:
  /// Connects; the node must run.
  questions(const cluster_folder& folder, int node);

  void put(const nlohmann::json& request);
  /// Everything that was put has arrived at the node's machine, where it waits to be read.
  void wait_for_arrival() const;
  /// One each, in order; null where none came in time.
  std::vector<nlohmann::json> answers();

 private:
  /// Of all connections to the node.
  std::int64_t unread() const;

  const int port_;
  app::client client_;
  std::vector<std::future<nlohmann::json>> put_;
  std::int64_t expected_ = -1;
};

}  // namespace troupe::test
