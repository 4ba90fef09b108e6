#include "app/admin_actor.hpp"

#include <memory>

namespace troupe::app {

using nlohmann::json;

admin_actor::admin_actor(caf::actor_config& config, const admin_environment* environment)
    : caf::event_based_actor(config), environment_(*environment) {}

caf::behavior admin_actor::make_behavior() {
  set_default_handler([](caf::scheduled_actor*, caf::message_view&) -> caf::result<caf::message> {
    return caf::sec::unexpected_message;
  });
  set_error_handler([](caf::error&) {});
  return {[this](admin_atom, const std::string& text) { return on_request(text); }};
}

void admin_actor::fail(answer to, std::string_view error, std::string_view detail) {
  to.deliver(json{{"error", error}, {"detail", detail}}.dump());
}

caf::result<std::string> admin_actor::on_request(const std::string& text) {
  auto to = make_response_promise<std::string>();
  const auto request = json::parse(text, nullptr, false);
  const auto verb = request.is_object() ? request.value("verb", "") : "";
  try {
    if (verb == "status")
      to.deliver(environment_.status().dump());
    else if (verb == "health")
      to.deliver(environment_.health().dump());
    else if (verb == "show")
      show(request, to);
    else if (verb == "ask")
      ask(request, to);
    else
      fail(to, "unknown_verb", "verbs are status, health, show, ask");
  } catch (const json::exception& e) {
    fail(to, "malformed_request", e.what());
  }
  return to;
}

void admin_actor::show(const json& request, answer to) {
  const auto id = parse_entity_id(request.at("entity").get<std::string>());
  const auto shard = environment_.shard_of(id);
  const auto host = environment_.router->find(shard);
  if (!host)
    return fail(to, "shard_unavailable",
                "shard " + std::to_string(shard.value()) + " is being recovered");
  this->request(host, environment_.request_timeout, show_entity{id})
      .then(
          [this, id, shard, to](const std::string& text) mutable {
            if (json::parse(text).value("error", "") == "unknown_entity")
              show_elsewhere(id, shard, to);
            else
              to.deliver(text);
          },
          [to](caf::error&) mutable { fail(to, "timeout", "the shard did not answer in time"); });
}

/// A producer with another partitioner puts a key where its hash does not say: then another shard
/// has it.
void admin_actor::show_elsewhere(const entity_id& id, shard_id tried, answer to) {
  struct search {
    std::size_t open = 0;
    bool found = false;
  };
  auto all = std::make_shared<search>();
  std::vector<caf::actor> hosts;
  const auto known = environment_.router->all();
  for (std::uint32_t i = 0; i < known.size(); ++i)
    if (i != tried.value() && known[i]) hosts.push_back(known[i]);
  all->open = hosts.size();
  auto settle = [all, to, id](const std::string* text) mutable {
    --all->open;
    if (all->found) return;
    all->found = text != nullptr && !json::parse(*text).contains("error");
    if (all->found)
      to.deliver(*text);
    else if (all->open == 0)
      fail(to, "unknown_entity", to_string(id) + " does not exist");
  };
  if (hosts.empty()) return fail(to, "unknown_entity", to_string(id) + " does not exist");
  for (const auto& host : hosts)
    request(host, environment_.request_timeout, show_entity{id})
        .then([settle](const std::string& text) mutable { settle(&text); },
              [settle](caf::error&) mutable { settle(nullptr); });
}

void admin_actor::ask(const json& request, answer to) {
  const auto id = parse_entity_id(request.at("entity").get<std::string>());
  const auto host = environment_.router->find(environment_.shard_of(id));
  if (!host) return fail(to, "shard_unavailable", "the shard is being recovered");
  auto what =
      std::make_shared<message>(message{request.at("type"), request.value("body", json::object())});
  this->request(host, environment_.request_timeout,
                ask_entity{id, std::move(what), request.value("id", "")})
      .then([to](const std::string& text) mutable { to.deliver(text); },
            [to](caf::error&) mutable {
              fail(to, "timeout",
                   "the shard did not answer in time; with an id the request may be repeated");
            });
}

}  // namespace troupe::app
