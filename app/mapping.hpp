#pragma once

#include <functional>

#include "app/settings.hpp"
#include "runtime/bridge/kafka_options.hpp"
#include "runtime/cluster/lease.hpp"
#include "runtime/cluster/membership.hpp"
#include "runtime/entity/shard_machine.hpp"
#include "runtime/entity/supervision.hpp"
#include "runtime/store/cluster_store.hpp"
#include "runtime/store/node_store.hpp"
#include "runtime/store/postgres_store.hpp"

namespace troupe::app {

// From what operators write to what each layer takes.

store::postgres_store_options store_options(const settings& all, incarnation life);
store::node_store::options node_store_options(const settings& all);
store::cluster_store::options cluster_store_options(const settings& all);
bridge::kafka_options bridge_kafka_options(const settings& all);
bridge::ingress_options bridge_ingress_options(const settings& all, const catalog& things);
bridge::egress_options bridge_egress_options(const settings& all,
                                             std::function<bool()> lease_valid);
bridge::producer_options bridge_producer_options(const settings& all);
cluster::lease_options keeper_options(const lease_options& o);
shard_limits limits_of(const cluster_options& o);
cluster::membership_options membership_options_of(const cluster_options& o);
/// How long nothing at all may come by a link. Membership is to be the first to lose its patience.
std::chrono::milliseconds link_silence_max(const cluster_options& o);
supervision_limits supervision_of(const entity_options& o);

/// The brokers do not answer, or not yet.
struct kafka_unavailable : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Creates the missing topics of the catalog. Throws failure `wrong_topics` naming each whose
/// partition count is not the shard count, kafka_unavailable when out of reach.
void ensure_topics(const catalog& things, const settings& all);

}  // namespace troupe::app
