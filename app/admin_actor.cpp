#include "app/admin_actor.hpp"

#include <algorithm>
#include <memory>

#include "app/cluster_report.hpp"
#include "app/feed/text_time.hpp"
#include "runtime/codec/json.hpp"

namespace troupe::app {

using nlohmann::json;

namespace {
constexpr std::chrono::milliseconds peers_answer_within{1000};
}  // namespace

admin_actor::admin_actor(caf::actor_config& config, const admin_environment* environment)
    : caf::event_based_actor(config), environment_(*environment) {}

caf::behavior admin_actor::make_behavior() {
  set_default_handler([](caf::scheduled_actor*, caf::message_view&) -> caf::result<caf::message> {
    return caf::sec::unexpected_message;
  });
  set_error_handler([](caf::error&) {});
  set_down_handler([this](const caf::down_msg& m) { on_down(m); });
  return {
      [this](admin_atom, const std::string& text) { return on_request(text); },
      // Another node's member looks for this node's.
      [this](member_atom) -> caf::result<caf::actor> {
        if (!member_) return caf::sec::request_timeout;
        return member_;
      },
      [this](member_atom, const caf::actor& member) {
        if (current_sender() == nullptr) member_ = member;  // Only from this process, anonymously.
      },
  };
}

void admin_actor::fail(answer to, std::string_view error, std::string_view detail) {
  to.deliver(json{{"error", error}, {"detail", detail}}.dump());
}

caf::result<std::string> admin_actor::on_request(const std::string& text) {
  auto to = make_response_promise<std::string>();
  const auto [request, wrong] = parse_json_object(text);
  if (!wrong.empty()) {
    fail(to, "malformed_json", "the request " + wrong);
    return to;
  }
  try {
    const auto verb = request.value("verb", "");
    const bool local = request.value("local", false);
    if (verb == "status" && local)
      to.deliver(environment_.status().dump());
    else if (verb == "status")
      status(to);
    else if (verb == "shards" && local)
      to.deliver(environment_.shards().dump());
    else if (verb == "shards")
      shards(to);
    else if (verb == "leader")
      leader(to);
    else if (verb == "health")
      to.deliver(environment_.health().dump());
    else if (verb == "show")
      show(request, to);
    else if (verb == "ask")
      ask(request, to);
    else if (verb == "move" || verb == "drain" || verb == "undrain" || verb == "forget")
      order(request, to);
    else
      fail(to, "unknown_verb",
           "verbs are status, health, shards, leader, show, ask, move, drain, undrain, "
           "forget");
  } catch (const json::exception& e) {
    fail(to, "malformed_request", e.what());
  }
  return to;
}

// ---- other nodes -------------------------------------------------------------------------------

void admin_actor::ask_others(json request, std::function<void(answers)> then) {
  struct gathering {
    answers got;
    std::size_t open = 0;
    std::function<void(answers)> then;
  };
  const auto known = environment_.cluster->read();
  const auto all = std::make_shared<gathering>();
  all->then = std::move(then);
  all->open = known.members.size();
  if (all->open == 0) return all->then({});
  request["local"] = true;
  for (const auto& [life, member] : known.members) {
    std::string id = std::to_string(life.value());
    for (const auto& n : known.view.nodes)
      if (n.life == life) id = n.id;
    const auto settle = [all, id, settled = std::make_shared<bool>(false)](json it) {
      if (std::exchange(*settled, true)) return;
      all->got[id] = std::move(it);
      if (--all->open == 0) all->then(std::move(all->got));
    };
    const auto end = if_gone(member, [settle] { settle(nullptr); });
    this->request(member, peers_answer_within, admin_atom_v, request.dump())
        .then(
            [settle, end](const std::string& text) {
              end();
              settle(parse_json(text, {json_inside_depth_max}).value);
            },
            [settle, end](caf::error&) {
              end();
              settle(nullptr);
            });
  }
}

bool admin_actor::pass_on(const json& request, shard_id shard, answer to) {
  constexpr int hops_max = 2;  // While shards move, one node may think of another that it has it.
  const auto member = environment_.router->find_remote(shard);
  const int hops = request.value("hops", 0);
  if (!member || hops >= hops_max) return false;
  auto further = request;
  further["hops"] = hops + 1;
  const auto settle = if_gone(member, [to]() mutable {
    if (to.pending())
      fail(to, "node_unavailable",
           "the node that had the shard is gone; others are taking over, try again");
  });
  this->request(member, environment_.request_timeout, admin_atom_v, further.dump())
      .then(
          [to, settle](const std::string& text) mutable {
            if (to.pending()) to.deliver(text);
            settle();
          },
          [to, settle](caf::error&) mutable {
            if (to.pending())
              fail(to, "node_unavailable", "the node that has the shard did not answer in time");
            settle();
          });
  return true;
}

std::function<void()> admin_actor::if_gone(const caf::actor& member, std::function<void()> then) {
  monitor(member);
  const auto at = awaited_.insert(awaited_.end(), {member.address(), std::move(then)});
  return [this, at, member] {
    awaited_.erase(at);
    // It would end the others' monitors, too.
    if (std::ranges::find(awaited_, member.address(), &awaited::member) == awaited_.end())
      demonitor(member);
  };
}

void admin_actor::on_down(const caf::down_msg& m) {
  for (const auto& a : awaited_)
    if (a.member == m.source) a.gone();
}

void admin_actor::fail_unknown(const entity_id& id, answer to) {
  fail(to, "unknown_entity",
       to_string(id) + " does not exist: `troupe entity list --kind " + id.kind +
           "` tells those there are");
}

void admin_actor::fail_without_host(shard_id shard, answer to) {
  const auto name = "shard " + std::to_string(shard.value());
  if (const auto why = environment_.given_up(shard); !why.empty())
    return fail(to, "shard_given_up",
                name + " on " + environment_.node + " was given up: " + why +
                    "; mend the cause, then restart " + environment_.node);
  if (environment_.store_lost(shard))
    return fail(to, "store_unavailable", name + " waits for the database");
  fail(to, "shard_unavailable", name + " is being recovered");
}

void admin_actor::fail_unanswered(const caf::error& why, shard_id shard, answer to) {
  if (why == caf::sec::request_receiver_down) return fail_without_host(shard, to);
  fail(to, "timeout", "the shard did not answer in time; with an id the request may be repeated");
}

// ---- entities ----------------------------------------------------------------------------------

void admin_actor::show(const json& request, answer to) {
  const auto id = parse_entity_id(request.at("entity").get<std::string>());
  const auto shard = environment_.shard_of(id);
  const auto host = environment_.router->find(shard);
  if (!host) {
    if (pass_on(request, shard, to)) return;
    return fail_without_host(shard, to);
  }
  this->request(host, environment_.request_timeout, show_entity{id})
      .then(
          [this, id, to](const std::string& text) mutable {
            if (json::parse(text).value("error", "") == "unknown_entity")
              fail_unknown(id, to);
            else
              to.deliver(with_owner(text));
          },
          [this, shard, to](caf::error& e) { fail_unanswered(e, shard, to); });
}

/// What a shard of this node said of an entity, with the owner, and the time in readable form.
std::string admin_actor::with_owner(const std::string& text) const {
  auto shown = json::parse(text);
  if (shown.contains("error")) return text;
  shown["node"] = environment_.node;
  shown["committed_at"] = feed::time_text(shown.at("committed_us").get<std::int64_t>());
  shown.erase("committed_us");
  return shown.dump();
}

void admin_actor::ask(const json& request, answer to) {
  const auto id = parse_entity_id(request.at("entity").get<std::string>());
  const auto shard = environment_.shard_of(id);
  const auto host = environment_.router->find(shard);
  if (!host) {
    if (pass_on(request, shard, to)) return;
    return fail_without_host(shard, to);
  }
  auto what =
      std::make_shared<message>(message{request.at("type"), request.value("body", json::object())});
  this->request(host, environment_.request_timeout,
                ask_entity{id, std::move(what), request.value("id", "")})
      .then([to](const std::string& text) mutable { to.deliver(text); },
            [this, shard, to](caf::error& e) { fail_unanswered(e, shard, to); });
}

// ---- the cluster -------------------------------------------------------------------------------

void admin_actor::status(answer to) {
  ask_others({{"verb", "status"}}, [this, to](answers got) mutable {
    to.deliver(
        cluster_status(environment_.cluster->read().view, environment_.status(), got).dump());
  });
}

void admin_actor::shards(answer to) {
  ask_others({{"verb", "shards"}}, [this, to](answers got) mutable {
    auto all = cluster_shards(environment_.cluster->read().view, environment_.shards(), got);
    if (environment_.stale())
      for (auto& shard : all) shard["stale"] = true;
    to.deliver(all.dump());
  });
}

void admin_actor::leader(answer to) {
  const auto view = environment_.cluster->read().view;
  for (const auto& n : view.nodes)
    if (n.life == view.leader && n.live) {
      json found{{"leader", n.id}, {"incarnation", n.life.value()}, {"address", n.address}};
      if (environment_.stale()) found["stale"] = true;
      to.deliver(found.dump());
      return;
    }
  fail(to, "no_leader", "no node leads at this moment");
}

/// Orders of operators are written by this node's member; the leader follows them.
void admin_actor::order(const json& request, answer to) {
  if (!member_) return fail(to, "not_joined", "this node has not joined the cluster yet");
  const auto view = environment_.cluster->read().view;
  if (const auto refused = order_refusal(view, request); !refused.is_null()) {
    to.deliver(refused.dump());
    return;
  }
  this->request(member_, environment_.request_timeout, order_atom_v, request.dump())
      .then([to](const std::string& text) mutable { to.deliver(text); },
            [to](caf::error&) mutable {
              fail(to, "store_unavailable", "the database did not answer in time");
            });
}

}  // namespace troupe::app
