#include "app/node_status.hpp"

namespace troupe::app {

using nlohmann::json;

node_status::node_status(identity who, const status_board& board, metrics::registry& metrics)
    : who_(std::move(who)), board_(board), started_(clock_.steady()) {
  watch(metrics);
}

void node_status::ready_when(std::function<bool()> settled) {
  const std::lock_guard lock(mutex_);
  settled_ = std::move(settled);
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
  }
  return t;
}

json node_status::shards() const {
  json all = json::array();
  const auto entries = board_.read();
  const auto now = clock_.now();
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const auto& e = entries[i];
    if (!e.owned) continue;
    json positions = json::object();
    for (const auto& [topic, next] : e.now.positions) positions[topic] = next.value();
    const auto age =
        e.now.uncommitted_since == time_point{}
            ? std::chrono::milliseconds(0)
            : std::chrono::duration_cast<std::chrono::milliseconds>(now - e.now.uncommitted_since);
    json one{{"shard", i},
             {"node", who_.node},
             {"epoch", e.now.era},
             {"live", e.now.live},
             {"positions", std::move(positions)},
             {"lag", e.now.lag},
             {"uncommitted", e.now.uncommitted},
             {"oldest_uncommitted_ms", age.count()},
             {"undelivered", e.now.undelivered},
             {"entities", e.now.residents},
             {"restarts", e.restarts}};
    if (!e.stopped.empty()) one["stopped"] = e.stopped;
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
  const std::lock_guard lock(mutex_);
  return {{"node", who_.node},
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
          {"undelivered", t.undelivered},
          {"entities", t.entities},
          {"feeds",
           {{"followed", t.followed},
            {"catching_up", t.catching_up},
            {"lag", t.feed_lag},
            {"missing", t.feed_missing},
            {"cut_off", t.feed_cuts}}}};
}

health_report node_status::health() const {
  auto report = judge(board_.read(), clock_.now(), clock_.steady(), {});
  const std::lock_guard lock(mutex_);
  report.ready = report.ready && settled_ && settled_();
  return report;
}

json node_status::health_json() const {
  const auto report = health();
  return {{"healthy", report.healthy}, {"ready", report.ready}, {"problems", report.problems}};
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
  counter("troupe_entity_rows_total", "Result rows committed.", [](const totals& t) {
    double sum = 0;
    for (const auto& [table, n] : t.rows) sum += static_cast<double>(n);
    return sum;
  });
}

}  // namespace troupe::app
