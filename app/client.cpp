#include "app/client.hpp"

#include <caf/all.hpp>

#include "app/link_identity.hpp"
#include "runtime/entity/actor_messages.hpp"
#include "runtime/entity/engine.hpp"

namespace troupe::app {

namespace {
constexpr std::chrono::milliseconds dial_limit{3000};
constexpr std::chrono::seconds answer_limit{15};

/// What has become of a question without an answer.
client_error unanswered(const std::string& node, const caf::error& why) {
  const auto code = why == caf::sec::request_timeout ? "timeout" : "node_unavailable";
  if (why == caf::sec::request_timeout)
    return {code, "node " + node + " has not answered within " +
                      std::to_string(answer_limit.count()) +
                      " s: it is busy or stands still; `troupe health` tells more"};
  return {code, "node " + node +
                    " went away before it answered: see its log, or ask another node (--config)"};
}

}  // namespace

struct client::connection {
  engine_config config{1};
  caf::actor_system system{config};
  caf::actor admin;
};

client::client(const settings& of)
    : connection_(std::make_unique<connection>()), node_(of.node.id) {
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
  caf::scoped_actor self{connection_->system};
  nlohmann::json answer;
  caf::error wrong;
  self->request(connection_->admin, caf::duration{answer_limit}, admin_atom_v, request.dump())
      .receive([&](const std::string& text) { answer = nlohmann::json::parse(text); },
               [&](caf::error& e) { wrong = std::move(e); });
  if (wrong) throw unanswered(node_, wrong);
  return answer;
}

}  // namespace troupe::app
