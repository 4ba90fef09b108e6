#pragma once

#include <caf/all.hpp>
#include <functional>
#include <nlohmann/json.hpp>

#include "runtime/entity/actor_messages.hpp"
#include "runtime/entity/shard_router.hpp"

namespace troupe::app {

/// What the admin actor needs of its node. Outlives it.
struct admin_environment {
  const shard_router* router = nullptr;
  std::function<shard_id(const entity_id&)> shard_of;
  std::function<nlohmann::json()> status;
  std::function<nlohmann::json()> health;
  std::chrono::milliseconds request_timeout{5000};
};

/// The one door for operators: takes `(admin_atom, request)` and answers `answer`, both JSON text.
/// Requests are `{"verb": "status"}`, `{"verb": "health"}`, `{"verb": "show", "entity":
/// "kind/key"}` and `{"verb": "ask", "entity": "kind/key", "type": "...", "body": {...}, "id":
/// "..."}`. Errors are answered by name: `{"error": "unknown_verb", "detail": "..."}`.
class admin_actor final : public caf::event_based_actor {
 public:
  admin_actor(caf::actor_config& config, const admin_environment* environment);
  caf::behavior make_behavior() override;

 private:
  using answer = caf::typed_response_promise<std::string>;

  caf::result<std::string> on_request(const std::string& text);
  void show(const nlohmann::json& request, answer to);
  void show_elsewhere(const entity_id& id, shard_id tried, answer to);
  void ask(const nlohmann::json& request, answer to);
  static void fail(answer to, std::string_view error, std::string_view detail);

  const admin_environment& environment_;
};

}  // namespace troupe::app
