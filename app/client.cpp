#include "app/client.hpp"

#include <caf/all.hpp>

#include "app/link_identity.hpp"
#include "runtime/entity/actor_messages.hpp"
#include "runtime/entity/engine.hpp"

namespace troupe::app {

namespace {
constexpr std::chrono::milliseconds dial_limit{3000};

/// A node may wait twice for shards, and a little for other nodes.
std::chrono::milliseconds answer_limit(const settings& of) {
  return 2 * of.cluster.entities.request_timeout + std::chrono::seconds(5);
}

/// Words of the command line are in it.
std::string text_of(const nlohmann::json& request) {
  try {
    return request.dump();
  } catch (const nlohmann::json::exception&) {
    throw wrong_arguments("what is given must be UTF-8");
  }
}

/// What has become of a question without an answer.
client_error unanswered(const std::string& node, const caf::error& why,
                        std::chrono::milliseconds limit) {
  if (why == caf::sec::request_timeout)
    return {"timeout", "node " + node + " has not answered within " +
                           std::to_string(limit.count()) +
                           " ms: it is busy or stands still; `troupe health` tells more"};
  return {"node_unavailable",
          "node " + node +
              " went away before it answered: see its log, or ask another node (--config)"};
}

}  // namespace

struct client::connection {
  engine_config config{1};
  caf::actor_system system{config};
  caf::actor admin;
  std::chrono::milliseconds patience;
};

client::client(const settings& of)
    : connection_(std::make_unique<connection>()), node_(of.node.id) {
  connection_->patience = answer_limit(of);
  try {
    connection_->admin =
        cluster::dial(connection_->system, {of.node.admin.host, of.node.admin.port, of.node.id},
                      operator_self(of), dial_limit);
  } catch (const cluster::link_error& e) {
    throw client_error("node_unavailable", "node " + node_ + " of this config cannot be asked (" +
                                               e.what() +
                                               "): start it, or name one that runs with --config");
  }
}

client::~client() = default;

nlohmann::json client::ask(const nlohmann::json& request) {
  const auto asked = text_of(request);
  caf::scoped_actor self{connection_->system};
  nlohmann::json answer;
  caf::error wrong;
  self->request(connection_->admin, caf::duration{connection_->patience}, admin_atom_v, asked)
      .receive([&](const std::string& text) { answer = nlohmann::json::parse(text); },
               [&](caf::error& e) { wrong = std::move(e); });
  if (wrong) throw unanswered(node_, wrong, connection_->patience);
  return answer;
}

}  // namespace troupe::app
