#include "app/cluster_report.hpp"

#include <algorithm>
#include <array>

namespace troupe::app {

using nlohmann::json;

namespace {

/// Adds numbers up, objects member by member; lists are joined.
void add(json& to, const json& from) {
  if (from.is_object()) {
    for (const auto& [name, value] : from.items()) add(to[name], value);
  } else if (from.is_array()) {
    if (!to.is_array()) to = json::array();
    to.insert(to.end(), from.begin(), from.end());
  } else if (from.is_number_float()) {
    to = (to.is_null() ? 0.0 : to.get<double>()) + from.get<double>();
  } else if (from.is_number()) {
    to = (to.is_null() ? 0 : to.get<std::int64_t>()) + from.get<std::int64_t>();
  }
}

const store::cluster_view::node* owner_of(const store::cluster_view& view,
                                          const store::cluster_view::shard& s) {
  for (const auto& n : view.nodes)
    if (n.life == s.life && n.live) return &n;
  return nullptr;
}

std::string state_of(const store::cluster_view::node& n, const json& said) {
  if (!n.live) return n.left ? "left" : "down";
  return said.is_object() ? "live" : "silent";
}

/// What is wrong with the cluster as a whole; each node knows its own troubles.
void add_problems(const store::cluster_view& view, json& all) {
  auto& problems = all["problems"];
  if (all.at("leader").is_null())
    problems.push_back(
        "no node leads: usual for some seconds, else PostgreSQL is away or no node can reach it");
  for (const auto& n : all.at("nodes")) {
    const auto id = n.at("id").get<std::string>();
    if (n.at("state") == "down")
      problems.push_back(id +
                         " is down: the others have its shards; start it again, or "
                         "`troupe node forget " +
                         id + "` if it is not to come back");
    if (n.at("state") == "silent")
      problems.push_back(id + " is silent: alive by its lease, but it does not answer");
  }
  for (const auto& s : view.shards)
    if (s.assigned.empty()) {
      problems.push_back("shards without a place: no node takes shards");
      return;
    }
}

json node_report(const store::cluster_view& view, const store::cluster_view::node& n,
                 const json& said) {
  json one{{"id", n.id},
           {"incarnation", n.life.value()},
           {"address", n.address},
           {"leads", n.life == view.leader && n.live},
           {"draining", n.draining}};
  one["state"] = state_of(n, said);
  if (said.is_object())
    for (const auto* name :
         {"version", "uptime_s", "shards", "ingress", "commits", "entities", "undelivered",
          "dead_letters", "quarantined", "oldest_uncommitted_ms", "oldest_undelivered_ms", "stale"})
      if (said.contains(name)) one[name] = said.at(name);
  return one;
}

}  // namespace

json moves(const store::cluster_view& view) {
  json all = json::array();
  for (std::size_t i = 0; i < view.shards.size(); ++i) {
    const auto& s = view.shards[i];
    const auto* owner = owner_of(view, s);
    if (owner != nullptr && owner->id == s.assigned) continue;
    all.push_back({{"shard", i}, {"from", owner != nullptr ? json(owner->id) : json()}});
    all.back()["to"] = s.assigned.empty() ? json() : json(s.assigned);
  }
  return all;
}

json cluster_status(const store::cluster_view& view, const json& own,
                    const std::map<std::string, json>& others) {
  constexpr std::array summed{"shards",   "ingress",      "commits",     "units",
                              "rows",     "dead_letters", "undelivered", "quarantined",
                              "entities", "problems",     "feeds"};
  constexpr std::array oldest{"oldest_uncommitted_ms", "oldest_undelivered_ms"};
  json all = own;
  for (const auto& [id, said] : others) {
    if (!said.is_object()) continue;
    for (const auto* name : summed)
      if (said.contains(name)) add(all[name], said.at(name));
    for (const auto* name : oldest)
      all[name] = std::max(all.value(name, std::int64_t{0}), said.value(name, std::int64_t{0}));
  }
  if (view.shards.empty()) return all;  // Not joined yet.
  all["shards"]["total"] = view.shards.size();
  all["moves"] = moves(view);
  all["shards"]["moving"] = all["moves"].size();
  all["leader"] = nullptr;
  all["nodes"] = json::array();
  for (const auto& n : view.nodes) {
    if (n.life == view.leader && n.live) all["leader"] = n.id;
    const auto said = others.find(n.id);
    all["nodes"].push_back(node_report(view, n,
                                       n.id == own.value("node", "") ? own
                                       : said == others.end()        ? json()
                                                                     : said->second));
  }
  add_problems(view, all);
  return all;
}

json order_refusal(const store::cluster_view& view, const json& order) {
  const auto refuse = [](const char* error, const std::string& detail) {
    return json{{"error", error}, {"detail", detail}};
  };
  const auto id = order.at("node").get<std::string>();
  const auto verb = order.at("verb").get<std::string>();
  const auto node = std::ranges::find(view.nodes, id, &store::cluster_view::node::id);
  const auto shard = verb == "move" ? order.at("shard").get<std::int64_t>() : 0;
  if (verb == "move" && (shard < 0 || shard >= std::ssize(view.shards)))
    return refuse("unknown_shard", "shards are 0 to " + std::to_string(view.shards.size() - 1));
  if (node == view.nodes.end())
    return refuse("unknown_node", id + " is no node of this cluster: `troupe status` lists them");
  if (verb == "forget")
    return node->live ? refuse("node_is_live", id + " is alive: stop it first") : json();
  if (!node->live) return refuse("node_is_down", id + " is down: start it first");
  if (verb == "move" && node->draining)
    return refuse("node_drains", id + " gives its shards away: `troupe node undrain` it first");
  const auto takes = [&](const auto& n) { return n.live && !n.draining && n.id != id; };
  if (verb == "drain" && std::ranges::none_of(view.nodes, takes))
    return refuse("last_node", "no other node would take the shards of " + id);
  return {};
}

json cluster_shards(const store::cluster_view& view, const json& own,
                    const std::map<std::string, json>& others) {
  std::map<std::size_t, json> known;
  const auto take = [&](const json& said) {
    for (const auto& s : said) known[s.at("shard").get<std::size_t>()] = s;
  };
  take(own);
  for (const auto& [id, said] : others)
    if (said.is_array()) take(said);
  json all = json::array();
  for (std::size_t i = 0; i < view.shards.size(); ++i) {
    const auto& s = view.shards[i];
    const auto* owner = owner_of(view, s);
    json one = known.contains(i) ? known[i] : json{{"shard", i}, {"live", false}};
    if (!one.contains("node")) one["node"] = owner != nullptr ? json(owner->id) : json();
    one["assigned"] = s.assigned;
    all.push_back(std::move(one));
  }
  return all;
}

}  // namespace troupe::app
