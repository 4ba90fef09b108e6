#pragma once

#include <deque>
#include <functional>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "runtime/entity/health.hpp"
#include "runtime/metrics/registry.hpp"
#include "runtime/store/cluster_store.hpp"
#include "runtime/store/postgres_store.hpp"

namespace troupe::app {

/// Metrics of what the store has done. They stay for as long as the result is kept, which must go
/// before the store.
[[nodiscard]] std::vector<metrics::registry::subscription> watch_store(
    metrics::registry& metrics, const store::postgres_store& of);

/// What a node tells of itself: status and health as JSON, and its metrics.
class node_status {
 public:
  struct identity {
    std::string node;
    std::string cluster;
    std::string version;
  };
  node_status(identity who, const status_board& board, metrics::registry& metrics);

  void joined(incarnation life);
  /// Ready only while `settled`, too: the cluster has a leader, and every shard its place.
  void ready_when(std::function<bool()> settled);
  /// Asked since when Kafka has been away; nothing while it is there. Empty: nobody knows.
  void ask_kafka(std::function<std::optional<steady_time>()> away_since);
  /// Asked whether the node's lease is valid, and since when PostgreSQL has owed an answer. Empty:
  /// it has not joined yet, or is leaving.
  void ask_lease(std::function<bool()> valid,
                 std::function<std::optional<steady_time>()> store_away_since);
  /// Without a valid lease others may know better: what the node tells is out of date.
  bool stale() const;
  /// PostgreSQL has been out of reach for longer than a renewal takes.
  bool store_away() const;
  /// Metrics of what this node knows of its cluster.
  void watch_cluster(metrics::registry& metrics, std::function<store::cluster_view()> view);
  /// `{"node": ..., "shards": {"total", "live", "stopped": [...]}, "ingress": {"records", "rate",
  /// "lag", "uncommitted"}, "commits", "units", "rows": {table: n}, "dead_letters", "quarantined",
  /// "undelivered", "oldest_uncommitted_ms", "oldest_undelivered_ms", "problems": [...],
  /// "entities", "feeds": {"followed", "catching_up", "lag", "missing", "cut_off"}}`, and `"stale":
  /// true` if it is. Counts are since this process began; rate is records a second over the last
  /// seconds.
  nlohmann::json status();
  /// One object for each shard of this node; `"stale": true` in each as above.
  nlohmann::json shards() const;
  health_report health() const;
  nlohmann::json health_json() const;

 private:
  struct totals {
    std::int64_t owned = 0, live = 0, applied = 0, lag = 0, uncommitted = 0, commits = 0, units = 0,
                 dead_letters = 0, missing = 0, undelivered = 0, entities = 0, restarts = 0,
                 inbox = 0, quarantined = 0, stopped = 0, oldest_uncommitted_ms = 0,
                 oldest_undelivered_ms = 0, followed = 0, catching_up = 0, feed_lag = 0,
                 feed_missing = 0, feed_cuts = 0;
    std::map<std::string, std::int64_t> rows;
  };
  static std::optional<steady_time::duration> age(
      const std::function<std::optional<steady_time>()>& since);
  static totals add_up(const std::vector<status_board::entry>& shards);
  double rate(std::int64_t applied);
  void watch(metrics::registry& metrics);

  const identity who_;
  const status_board& board_;
  const system_clock_source clock_;
  const steady_time started_;
  mutable std::mutex mutex_;
  incarnation life_;
  std::function<bool()> settled_;
  std::function<std::optional<steady_time>()> kafka_away_since_;
  std::function<std::optional<steady_time>()> store_away_since_;
  std::function<bool()> lease_valid_;
  std::deque<std::pair<steady_time, std::int64_t>> samples_;  // Applied records, for the rate.
  std::vector<metrics::registry::subscription> watches_;
};

}  // namespace troupe::app
