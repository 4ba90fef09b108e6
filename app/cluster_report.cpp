#include "app/cluster_report.hpp"

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

std::int64_t moving(const store::cluster_view& view) {
  std::int64_t count = 0;
  for (const auto& s : view.shards) {
    const auto* owner = owner_of(view, s);
    if (owner == nullptr || owner->id != s.assigned) ++count;
  }
  return count;
}

json node_report(const store::cluster_view& view, const store::cluster_view::node& n,
                 const json& said) {
  json one{{"id", n.id},
           {"incarnation", n.life.value()},
           {"address", n.address},
           {"leads", n.life == view.leader && n.live},
           {"draining", n.draining}};
  one["state"] = !n.live ? "down" : said.is_object() ? "live" : "silent";
  if (said.is_object())
    for (const auto* name : {"version", "uptime_s", "shards", "ingress", "commits", "entities",
                             "undelivered", "dead_letters"})
      if (said.contains(name)) one[name] = said.at(name);
  return one;
}

}  // namespace

json cluster_status(const store::cluster_view& view, const json& own,
                    const std::map<std::string, json>& others) {
  constexpr std::array summed{"shards",       "ingress",     "commits",  "units", "rows",
                              "dead_letters", "undelivered", "entities", "feeds"};
  json all = own;
  for (const auto& [id, said] : others)
    if (said.is_object())
      for (const auto* name : summed)
        if (said.contains(name)) add(all[name], said.at(name));
  if (view.shards.empty()) return all;  // Not joined yet.
  all["shards"]["total"] = view.shards.size();
  all["shards"]["moving"] = moving(view);
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
  return all;
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
