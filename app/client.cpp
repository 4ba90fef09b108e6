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
    throw client_error("what is given must be UTF-8");
  }
}

}  // namespace

struct client::connection {
  engine_config config{1};
  caf::actor_system system{config};
  caf::actor admin;
  std::chrono::milliseconds patience;
};

client::client(const settings& of) : connection_(std::make_unique<connection>()) {
  connection_->patience = answer_limit(of);
  try {
    connection_->admin =
        cluster::dial(connection_->system, {of.node.admin.host, of.node.admin.port, of.node.id},
                      operator_self(of), dial_limit);
  } catch (const cluster::link_error& e) {
    throw client_error(e.what());
  }
}

client::~client() = default;

nlohmann::json client::ask(const nlohmann::json& request) {
  const auto asked = text_of(request);
  caf::scoped_actor self{connection_->system};
  nlohmann::json answer;
  std::string failure;
  self->request(connection_->admin, caf::duration{connection_->patience}, admin_atom_v, asked)
      .receive([&](const std::string& text) { answer = nlohmann::json::parse(text); },
               [&](caf::error& e) { failure = connection_->system.render(e); });
  if (!failure.empty()) throw client_error("the node did not answer: " + failure);
  return answer;
}

}  // namespace troupe::app
