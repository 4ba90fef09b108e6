#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "runtime/store/cluster_store.hpp"

namespace troupe::app {

/// What the nodes say of themselves (`own` by the node that was asked, the others' by node id, null
/// for one that did not answer), joined to the status of the whole cluster: counts added up, and
/// under `nodes` one object each.
nlohmann::json cluster_status(const store::cluster_view& view, const nlohmann::json& own,
                              const std::map<std::string, nlohmann::json>& others);

/// One object for each shard: its node, what that node says of it, and where it is going.
nlohmann::json cluster_shards(const store::cluster_view& view, const nlohmann::json& own,
                              const std::map<std::string, nlohmann::json>& others);

}  // namespace troupe::app
