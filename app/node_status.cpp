#include "app/node_status.hpp"

#include <algorithm>

#include "app/cluster_report.hpp"

namespace troupe::app {

using nlohmann::json;

namespace {

/// How long ago `since` was; 0 if it is not set.
std::int64_t age_ms(time_point since) {
  if (since == time_point{}) return 0;
  const auto age = std::chrono::duration_cast<std::chrono::milliseconds>(wall_now() - since);
  return std::max<std::int64_t>(0, age.count());
}

}  // namespace

std::vector<metrics::registry::subscription> watch_store(metrics::registry& metrics,
                                                         const store::postgres_store& of) {
  std::vector<metrics::registry::subscription> all;
  using statistics = store::store_statistics;
  const auto commits = [&](const char* outcome, std::uint64_t statistics::*count) {
    all.push_back(metrics.watch_counter(
        "troupe_store_commits_total", "Commits by what became of them.", {{"outcome", outcome}},
        [&of, count] { return static_cast<double>(of.statistics().*count); }));
  };
  commits("committed", &statistics::committed);
  commits("fenced", &statistics::fenced);
  commits("outcome_unknown", &statistics::outcome_unknown);
  commits("unavailable", &statistics::unavailable);
  commits("rejected", &statistics::rejected);
  all.push_back(metrics.watch_gauge("troupe_store_waiting_calls",
                                    "Calls that wait for a connection to PostgreSQL.", {},
                                    [&of] { return static_cast<double>(of.statistics().queued); }));
  return all;
}

node_status::node_status(identity who, const status_board& board, metrics::registry& metrics)
    : who_(std::move(who)), board_(board), started_(clock_.steady()) {
  watch(metrics);
}

void node_status::ready_when(std::function<bool()> settled) {
  const std::lock_guard lock(mutex_);
  settled_ = std::move(settled);
}

void node_status::ask_kafka(std::function<std::optional<steady_time>()> away_since) {
  const std::lock_guard lock(mutex_);
  kafka_away_since_ = std::move(away_since);
}

void node_status::ask_lease(std::function<bool()> valid,
                            std::function<std::optional<steady_time>()> store_away_since) {
  const std::lock_guard lock(mutex_);
  lease_valid_ = std::move(valid);
  store_away_since_ = std::move(store_away_since);
}

bool node_status::stale() const {
  const std::lock_guard lock(mutex_);
  return lease_valid_ && !lease_valid_();
}

std::optional<steady_time::duration> node_status::age(
    const std::function<std::optional<steady_time>()>& since) {
  const auto at = since ? since() : std::nullopt;
  return at ? std::optional(std::chrono::steady_clock::now() - *at) : std::nullopt;
}

bool node_status::store_away() const {
  constexpr std::chrono::seconds usual_max{1};
  const std::lock_guard lock(mutex_);
  return age(store_away_since_) > usual_max;
}

void node_status::joined(incarnation life) {
  const std::lock_guard lock(mutex_);
  life_ = life;
}

node_status::totals node_status::add_up(const std::vector<status_board::entry>& shards) {
  totals t;
  for (const auto& shard : shards) {
    for (const auto* p : {&shard.now, &shard.before}) {
      t.applied += p->applied;
      t.commits += p->commits;
      t.units += p->units;
      t.dead_letters += p->dead_letters;
      t.quarantined += p->quarantined;
      t.missing += p->log_missing;
      t.feed_missing += p->feed_missing;
      t.feed_cuts += p->feed_cuts;
      for (const auto& [table, n] : p->rows) t.rows[table] += n;
    }
    t.owned += shard.owned ? 1 : 0;
    t.live += shard.now.live ? 1 : 0;
    t.lag += shard.now.lag;
    t.uncommitted += shard.now.uncommitted;
    t.undelivered += static_cast<std::int64_t>(shard.now.undelivered);
    t.entities += static_cast<std::int64_t>(shard.now.residents);
    t.inbox += static_cast<std::int64_t>(shard.now.inbox);
    t.restarts += shard.restarts;
    t.followed += static_cast<std::int64_t>(shard.now.feeds.followed);
    t.catching_up += static_cast<std::int64_t>(shard.now.feeds.catching_up);
    t.feed_lag += shard.now.feeds.lag;
    t.stopped += shard.stopped.empty() ? 0 : 1;
    t.oldest_uncommitted_ms =
        std::max(t.oldest_uncommitted_ms, age_ms(shard.now.uncommitted_since));
    t.oldest_undelivered_ms =
        std::max(t.oldest_undelivered_ms, age_ms(shard.now.undelivered_since));
  }
  return t;
}

json node_status::shards() const {
  json all = json::array();
  const bool old = stale();
  const auto entries = board_.read();
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const auto& e = entries[i];
    if (!e.owned) continue;
    json positions = json::object();
    for (const auto& [topic, next] : e.now.positions) positions[topic] = next.value();
    json one{{"shard", i},
             {"node", who_.node},
             {"epoch", e.now.era},
             {"live", e.now.live},
             {"positions", std::move(positions)},
             {"lag", e.now.lag},
             {"uncommitted", e.now.uncommitted},
             {"oldest_uncommitted_ms", age_ms(e.now.uncommitted_since)},
             {"undelivered", e.now.undelivered},
             {"oldest_undelivered_ms", age_ms(e.now.undelivered_since)},
             {"entities", e.now.residents},
             {"restarts", e.restarts}};
    if (!e.stopped.empty()) one["stopped"] = e.stopped;
    if (old) one["stale"] = true;
    all.push_back(std::move(one));
  }
  return all;
}

double node_status::rate(std::int64_t applied) {
  const auto now = clock_.steady();
  const std::lock_guard lock(mutex_);
  samples_.emplace_back(now, applied);
  while (samples_.size() > 2 && now - samples_.front().first > std::chrono::seconds(3))
    samples_.pop_front();
  const std::chrono::duration<double> span = now - samples_.front().first;
  return span.count() <= 0 ? 0
                           : static_cast<double>(applied - samples_.front().second) / span.count();
}

json node_status::status() {
  const auto shards = board_.read();
  const auto t = add_up(shards);
  json stopped = json::array();
  for (std::size_t i = 0; i < shards.size(); ++i)
    if (!shards[i].stopped.empty())
      stopped.push_back({{"shard", i}, {"reason", shards[i].stopped}});
  const auto uptime =
      std::chrono::duration_cast<std::chrono::seconds>(clock_.steady() - started_).count();
  const auto per_second = rate(t.applied);
  json problems = json::array();
  for (const auto& problem : health().problems) problems.push_back(who_.node + ": " + problem);
  const bool old = stale();
  const std::lock_guard lock(mutex_);
  json all{{"node", who_.node},
           {"cluster", who_.cluster},
           {"version", who_.version},
           {"incarnation", life_.value()},
           {"uptime_s", uptime},
           {"shards",
            {{"total", t.owned}, {"live", t.live}, {"stopped", stopped}, {"restarts", t.restarts}}},
           {"ingress",
            {{"records", t.applied},
             {"rate", per_second},
             {"lag", t.lag},
             {"uncommitted", t.uncommitted},
             {"missing", t.missing}}},
           {"commits", t.commits},
           {"units", t.units},
           {"rows", t.rows},
           {"dead_letters", t.dead_letters},
           {"quarantined", t.quarantined},
           {"undelivered", t.undelivered},
           {"oldest_uncommitted_ms", t.oldest_uncommitted_ms},
           {"oldest_undelivered_ms", t.oldest_undelivered_ms},
           {"problems", std::move(problems)},
           {"entities", t.entities},
           {"feeds",
            {{"followed", t.followed},
             {"catching_up", t.catching_up},
             {"lag", t.feed_lag},
             {"missing", t.feed_missing},
             {"cut_off", t.feed_cuts}}}};
  if (old) all["stale"] = true;
  return all;
}

health_report node_status::health() const {
  auto report = judge(board_.read(), clock_.now(), clock_.steady(), {});
  const std::lock_guard lock(mutex_);
  report.ready = report.ready && settled_ && settled_();
  constexpr std::chrono::seconds patience{5};  // A server that restarts is no trouble.
  const auto missed = [&](const char* what, const auto& since) {
    const auto away = age(since);
    if (!(away > patience)) return;
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(*away).count();
    report.problems.push_back(what + (" has been out of reach for " + std::to_string(seconds)) +
                              " s");
    report.healthy = false;
  };
  missed("PostgreSQL", store_away_since_);
  missed("Kafka", kafka_away_since_);
  return report;
}

json node_status::health_json() const {
  const auto report = health();
  return {{"healthy", report.healthy}, {"ready", report.ready}, {"problems", report.problems}};
}

void node_status::watch_cluster(metrics::registry& metrics,
                                std::function<store::cluster_view()> view) {
  const auto nodes = [&](std::string_view name, std::string_view help, auto counts) {
    watches_.push_back(metrics.watch_gauge(name, help, {}, [view, counts] {
      return static_cast<double>(std::ranges::count_if(view().nodes, counts));
    }));
  };
  using node = store::cluster_view::node;
  nodes("troupe_cluster_live_nodes", "Nodes that are alive.", [](const node& n) { return n.live; });
  nodes("troupe_cluster_down_nodes", "Nodes that went without leaving.",
        [](const node& n) { return !n.live && !n.left; });
  watches_.push_back(metrics.watch_gauge(
      "troupe_cluster_leader_incarnation", "The leader's incarnation; 0: no node leads.", {},
      [view] { return static_cast<double>(view().leader.value()); }));
  watches_.push_back(metrics.watch_gauge(
      "troupe_cluster_moving_shards", "Shards that are not where they are to be.", {},
      [view] { return static_cast<double>(moves(view()).size()); }));
}

void node_status::watch(metrics::registry& metrics) {
  using pick = std::function<double(const totals&)>;
  const auto read = [this](pick value) {
    return [this, value] { return value(add_up(board_.read())); };
  };
  const auto counter = [&](std::string_view name, std::string_view help, pick value) {
    watches_.push_back(metrics.watch_counter(name, help, {}, read(std::move(value))));
  };
  const auto gauge = [&](std::string_view name, std::string_view help, pick value) {
    watches_.push_back(metrics.watch_gauge(name, help, {}, read(std::move(value))));
  };
  const auto of = [](auto member) {
    return [member](const totals& t) { return static_cast<double>(t.*member); };
  };
  counter("troupe_ingress_records_total", "Records applied.", of(&totals::applied));
  counter("troupe_ingress_missing_total", "Records that the log lost before they were read.",
          of(&totals::missing));
  gauge("troupe_ingress_lag_records", "Records in the log that have not been applied yet.",
        of(&totals::lag));
  gauge("troupe_feed_followed", "Cursors of entities in what they follow.", of(&totals::followed));
  gauge("troupe_feed_catching_up", "Of those, the ones that read the log.",
        of(&totals::catching_up));
  gauge("troupe_feed_lag_records", "Records between cursors and live ends, summed.",
        of(&totals::feed_lag));
  counter("troupe_feed_missing_total", "Records that the log lost before a follower read them.",
          of(&totals::feed_missing));
  counter("troupe_feed_cut_off_total", "Shards of followers that were too slow.",
          of(&totals::feed_cuts));
  gauge("troupe_entity_uncommitted_records", "Records applied but not yet committed.",
        of(&totals::uncommitted));
  counter("troupe_entity_commits_total", "Commits of all shards.", of(&totals::commits));
  counter("troupe_entity_units_total", "Units that ended.", of(&totals::units));
  counter("troupe_entity_restarts_total", "Restarts of shards.", of(&totals::restarts));
  counter("troupe_entity_dead_letters_total", "Inputs sent to the dead-letter topic.",
          of(&totals::dead_letters));
  gauge("troupe_entity_resident_entities", "Entities in memory.", of(&totals::entities));
  gauge("troupe_entity_live_shards", "Shards that take work.", of(&totals::live));
  gauge("troupe_entity_inbox_messages", "Inputs that wait for their turn.", of(&totals::inbox));
  gauge("troupe_egress_undelivered_messages", "Outbox messages not yet acknowledged.",
        of(&totals::undelivered));
  counter("troupe_entity_quarantined_total", "Inputs set aside after they failed again and again.",
          of(&totals::quarantined));
  gauge("troupe_entity_stopped_shards", "Shards given up: an operator must look.",
        of(&totals::stopped));
  const auto seconds = [](auto member) {
    return [member](const totals& t) { return static_cast<double>(t.*member) / 1000; };
  };
  gauge("troupe_entity_oldest_uncommitted_seconds", "Age of the oldest input not yet committed.",
        seconds(&totals::oldest_uncommitted_ms));
  gauge("troupe_egress_oldest_undelivered_seconds",
        "Time since messages wait without one being acknowledged.",
        seconds(&totals::oldest_undelivered_ms));
  counter("troupe_entity_rows_total", "Result rows committed.", [](const totals& t) {
    double sum = 0;
    for (const auto& [table, n] : t.rows) sum += static_cast<double>(n);
    return sum;
  });
}

}  // namespace troupe::app
