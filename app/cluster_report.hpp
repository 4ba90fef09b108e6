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

/// Shards that are not where they are to be: `{"shard", "from", "to"}`, null where nobody is.
nlohmann::json moves(const store::cluster_view& view);

/// Why an operator's order (see admin_actor) cannot be carried out, as `{"error", "detail"}`; null
/// if it can.
nlohmann::json order_refusal(const store::cluster_view& view, const nlohmann::json& order);

}  // namespace troupe::app
