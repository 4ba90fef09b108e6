#include "app/mapping.hpp"

#include "app/failure.hpp"
#include "runtime/bridge/topic_admin.hpp"

namespace troupe::app {

store::postgres_store_options store_options(const settings& all, incarnation life) {
  store::postgres_store_options to;
  to.dsn = all.cluster.postgres.dsn;
  to.node = all.node.id;
  to.life = life;
  to.threads = all.cluster.postgres.connections;
  to.statement_timeout = all.cluster.postgres.statement_timeout;
  to.connect_timeout = all.cluster.postgres.connect_timeout;
  return to;
}

namespace {

/// What a lease depends on: a try that hangs must leave time for another.
template <class Options>
Options membership_store_options(const settings& all) {
  using std::chrono::milliseconds, std::chrono::seconds;
  const auto& lease = all.cluster.lease;
  const auto& postgres = all.cluster.postgres;
  const auto half = std::chrono::floor<seconds>((lease.ttl - lease.margin) / 2);
  Options to;
  to.dsn = postgres.dsn;
  to.statement_timeout =
      std::min(postgres.statement_timeout, std::max(lease.renewal, milliseconds(100)));
  to.connect_timeout = std::min(postgres.connect_timeout, std::max(half, seconds(3)));
  return to;
}

}  // namespace

store::node_store::options node_store_options(const settings& all) {
  return membership_store_options<store::node_store::options>(all);
}

store::cluster_store::options cluster_store_options(const settings& all) {
  return membership_store_options<store::cluster_store::options>(all);
}

bridge::kafka_options bridge_kafka_options(const settings& all) {
  bridge::kafka_options to;
  to.brokers = all.cluster.kafka.brokers;
  to.topic_prefix = all.cluster.kafka.topic_prefix;
  to.settings = all.cluster.kafka.client;
  to.client_id = "troupe-" + all.node.id;
  return to;
}

bridge::ingress_options bridge_ingress_options(const settings& all, const catalog& things) {
  bridge::ingress_options to;
  to.kafka = bridge_kafka_options(all);
  for (const auto& def : things.ingress) to.topics.push_back(def.topic);
  to.shard_inflight_max = all.cluster.ingress.shard_inflight_max;
  to.poll_records_max = all.cluster.ingress.batch_records_max;
  // One node may come to read every partition.
  to.prefetch_kib_max = std::max(64U, all.cluster.ingress.queued_kbytes_max / all.cluster.shards);
  to.prefetch_records =
      to.prefetch_kib_max * 2;  // Half a KiB each: most of it is the client's own.
  return to;
}

bridge::egress_options bridge_egress_options(const settings& all,
                                             std::function<bool()> lease_valid) {
  bridge::egress_options to;
  to.kafka = bridge_kafka_options(all);
  to.linger = all.cluster.egress.linger;
  to.message_timeout = all.cluster.egress.message_timeout;
  to.lease_valid = std::move(lease_valid);
  return to;
}

bridge::producer_options bridge_producer_options(const settings& all) {
  bridge::producer_options to;
  to.kafka = bridge_kafka_options(all);
  return to;
}

cluster::lease_options keeper_options(const lease_options& o) {
  cluster::lease_options to;
  to.ttl = o.ttl;
  to.margin = o.margin;
  to.renew_every = o.renewal;
  return to;
}

shard_limits limits_of(const cluster_options& o) {
  shard_limits to;
  to.checkpoint_interval = o.checkpoint.interval;
  to.output_delay = o.checkpoint.output_delay;
  to.catch_up_records = o.checkpoint.catch_up_records;
  to.uncommitted_records_max = o.checkpoint.uncommitted_records_max;
  to.outbox_max = o.egress.outbox_max;
  to.inbox_max = o.entities.inbox_max;
  to.idle_timeout = o.entities.idle_timeout;
  to.requests_remembered = o.entities.requests_remembered;
  to.go_on_when_truncated = o.ingress.on_truncated == truncation::go_on;
  return to;
}

cluster::membership_options membership_options_of(const cluster_options& o) {
  cluster::membership_options to;
  to.probe_every = o.membership.probe;
  to.silence_max = o.membership.silence_max;
  to.link_within = std::max(to.link_within, to.silence_max);  // No less patience at the beginning.
  to.leader_ttl = o.lease.ttl;
  to.moves_max = o.membership.moves_max;
  return to;
}

std::chrono::milliseconds link_silence_max(const cluster_options& o) {
  return std::max<std::chrono::milliseconds>(std::chrono::seconds(3), 3 * o.membership.silence_max);
}

supervision_limits supervision_of(const entity_options& o) {
  return {o.restarts_per_minute_max, o.quarantine_after_restarts, o.restart_backoff,
          o.restart_backoff_max};
}

void ensure_topics(const catalog& things, const settings& all) {
  constexpr auto wait = std::chrono::seconds(5);
  constexpr auto wait_to_create = std::chrono::seconds(30);  // A busy broker is not an absent one.
  const auto& kafka = all.cluster.kafka;
  bridge::topic_admin admin(bridge_kafka_options(all));
  std::vector<std::string> topics(things.egress);
  for (const auto& def : things.ingress) topics.push_back(def.topic);
  const auto existing = admin.partitions(topics, wait);
  if (!existing)
    throw kafka_unavailable("no answer from " + kafka.brokers + " (kafka.brokers) in " +
                            std::to_string(wait.count()) + " s");
  std::string wrong;
  std::vector<bridge::topic_spec> wanted;
  for (const auto& topic : topics) {
    const auto has = existing->find(topic);
    if (has != existing->end() && has->second != all.cluster.shards)
      wrong += "topic " + kafka.topic_prefix + topic + " has " + std::to_string(has->second) +
               " partitions, the cluster has " + std::to_string(all.cluster.shards) +
               " shards (set `shards` to the partition count before the cluster is made, or use "
               "another kafka.topic_prefix); ";
    if (has == existing->end() && !kafka.create_topics)
      wrong +=
          "topic " + kafka.topic_prefix + topic + " is missing and kafka.create_topics is false; ";
    wanted.push_back({topic,
                      all.cluster.shards,
                      static_cast<std::uint16_t>(kafka.replication_factor),
                      {{"retention.ms", std::to_string(kafka.retention.count())}}});
  }
  if (!wrong.empty()) throw failure("wrong_topics", wrong.substr(0, wrong.size() - 2));
  const auto report = admin.ensure_topics(wanted, wait_to_create);
  if (!report.ok()) throw kafka_unavailable(report.problems.front());
}

}  // namespace troupe::app
