#pragma once

#include <caf/all.hpp>
#include <functional>
#include <list>
#include <nlohmann/json.hpp>

#include "runtime/entity/actor_messages.hpp"
#include "runtime/entity/member_actor.hpp"
#include "runtime/entity/shard_router.hpp"

namespace troupe::app {

/// What the admin actor needs of its node. Outlives it.
struct admin_environment {
  std::string node;
  const shard_router* router = nullptr;
  const cluster_board* cluster = nullptr;
  std::function<shard_id(const entity_id&)> shard_of;
  std::function<nlohmann::json()> status;
  std::function<nlohmann::json()> shards;
  std::function<nlohmann::json()> health;
  std::function<bool(shard_id)> store_lost;  // Whether a shard waits for the database.
  /// Whether others may know better what the cluster looks like: this node has no valid lease.
  std::function<bool()> stale;
  /// Why a shard that is to be here was given up; empty: it was not.
  std::function<std::string(shard_id)> given_up;
  std::chrono::milliseconds request_timeout{5000};
};

/// The one door for operators: takes `(admin_atom, request)` and answers, both JSON text. Every
/// node has one, and each answers for the whole cluster: what another node knows it asks of that
/// node's. Requests are
///
///     {"verb": "status"}  {"verb": "health"}  {"verb": "shards"}  {"verb": "leader"}
///     {"verb": "show", "entity": "kind/key"}
///     {"verb": "ask", "entity": "kind/key", "type": "...", "body": {...}, "id": "..."}
///     {"verb": "move", "shard": 3, "node": "node-2"}
///     {"verb": "drain", "node": "node-2"}  {"verb": "undrain", "node": "node-2"}
///     {"verb": "forget", "node": "node-2"}
///
/// What a node without a valid lease says of the cluster carries `"stale": true` (in each object
/// of a list): it is what it knew last, and another node may know better. With `"local": true` only
/// this node is asked. Errors are answered by name: `{"error":
/// "unknown_verb", "detail": "..."}`.
class admin_actor final : public caf::event_based_actor {
 public:
  admin_actor(caf::actor_config& config, const admin_environment* environment);
  caf::behavior make_behavior() override;
  void on_exit() override {
    member_ = nullptr;
    awaited_.clear();  // A promise in it would hold us for ever.
  }

 private:
  using answer = caf::typed_response_promise<std::string>;
  /// Answers of other nodes, by node id; null where none came in time.
  using answers = std::map<std::string, nlohmann::json>;

  caf::result<std::string> on_request(const std::string& text);
  void show(const nlohmann::json& request, answer to);
  std::string with_owner(const std::string& text) const;
  void ask(const nlohmann::json& request, answer to);
  void status(answer to);
  void shards(answer to);
  void leader(answer to);
  void order(const nlohmann::json& request, answer to);
  /// Passes a request on to the node that has a shard; false if nobody is known to.
  bool pass_on(const nlohmann::json& request, shard_id shard, answer to);
  void ask_others(nlohmann::json request, std::function<void(answers)> then);
  /// What a dead node was asked will never be answered, since messages to it vanish: then `then` is
  /// called at once. Returns what ends this; to be called once.
  std::function<void()> if_gone(const caf::actor& member, std::function<void()> then);
  void on_down(const caf::down_msg& m);
  void fail_without_host(shard_id shard, answer to);
  static void fail_unknown(const entity_id& id, answer to);
  void fail_unanswered(const caf::error& why, shard_id shard, answer to);
  static void fail(answer to, std::string_view error, std::string_view detail);

  /// A request that another node is to answer.
  struct awaited {
    caf::actor_addr member;
    std::function<void()> gone;
  };

  const admin_environment& environment_;
  std::list<awaited> awaited_;
  caf::actor member_;  // Null until the node has joined.
};

}  // namespace troupe::app
