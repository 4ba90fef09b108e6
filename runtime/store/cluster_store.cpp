#include "runtime/store/cluster_store.hpp"

#include "runtime/store/array_encoder.hpp"
#include "runtime/store/pg_connection.hpp"

namespace troupe::store {
namespace {

constexpr auto nodes_sql =
    "select id, incarnation, address, state = 'live' and alive_until > now(), draining, "
    "state = 'left' from node order by id";
constexpr auto shards_sql =
    "select coalesce(assigned, ''), coalesce(incarnation, 0), epoch from shard order by id";
constexpr auto leader_sql =
    "select case when until > now() then incarnation else 0 end, version from leader";

// One round trip. The first parts decide; the others do nothing without them. The leader's row is
// locked first and puts all decisions in one order: a lock on the own node row before it would meet
// a successor that holds the leader's row and wants that one. Only then is our own row looked at as
// it is by now: the decision before ours may have declared us dead, and a dead one decides nothing.
constexpr auto lead_sql = R"sql(
with me as (
  select incarnation from node where incarnation = $1::int8 and state = 'live'),
led as (
  insert into leader(single, incarnation, until, version)
  select true, incarnation, now() + $2::int8 * interval '1 millisecond', 1 from me
  on conflict (single) do update set incarnation = excluded.incarnation, until = excluded.until,
    version = leader.version + 1
  where leader.incarnation = $1::int8 or leader.until <= now()
     or leader.incarnation = any($3::int8[])
     or not exists (select 1 from node n where n.incarnation = leader.incarnation and n.state = 'live')
  returning version),
counts as materialized (
  select 1 from node
  where incarnation = $1::int8 and state = 'live' and exists (select 1 from led) for share),
dead as (
  update node set state = 'dead', draining = false
  where incarnation = any($3::int8[]) and state = 'live' and exists (select 1 from counts)
  returning id, incarnation),
ended as (
  select pg_terminate_backend(a.pid) from pg_stat_activity a, dead
  where a.application_name = left('troupe:' || dead.id || ':' || dead.incarnation, 63)
    and a.datname = current_database() and a.usename = current_user),
assigned as (
  update shard s set assigned = w.node
  from unnest($4::int4[], $5::text[]) as w(id, node)
  where s.id = w.id and exists (select 1 from counts))
select (select version from led where exists (select 1 from counts)),
  (select count(*) from ended))sql";

constexpr auto assign_sql = R"sql(
with decision as (update leader set version = version + 1 returning 1)
update shard set assigned = $2::text where id = $1::int4 and exists (select 1 from decision)
returning 1)sql";

constexpr auto drain_sql =
    "update node set draining = $2::text = 'true' where id = $1::text returning 1";

constexpr auto forget_sql = R"sql(
with gone as (
  delete from node where id = $1::text and not (state = 'live' and alive_until > now()) returning 1)
select exists (select 1 from gone) from node where id = $1::text)sql";

connection_options connection_of(const cluster_store::options& o) {
  connection_options c;
  c.dsn = o.dsn;
  c.application_name = "troupe:cluster";
  c.statement_timeout = o.statement_timeout;
  c.tcp_user_timeout = o.statement_timeout;
  c.connect_timeout = o.connect_timeout;
  return c;
}

pqxx::binarystring binary(const std::string& v) {
  return pqxx::binarystring(v);
}

template <class Items, class Value>
pqxx::binarystring array(pg_type type, const Items& items, Value value) {
  array_encoder out(type, items.size());
  for (const auto& item : items) out.put(value(item));
  return pqxx::binarystring(std::move(out).take());
}

/// A statement that returns the rows that it was about.
cluster_store::written outcome_of(statement_result result, const pqxx::result& rows) {
  using enum cluster_store::written;
  if (result != statement_result::done) return unavailable;
  return rows.empty() ? nothing_there : done;
}

}  // namespace

struct cluster_store::connection : pg_connection {
  using pg_connection::pg_connection;
};

cluster_store::cluster_store(const options& o)
    : connection_(std::make_unique<connection>(connection_of(o))) {}

cluster_store::~cluster_store() = default;

std::optional<cluster_view> cluster_store::read() {
  pqxx::result nodes, shards, leader;
  auto& db = *connection_;
  // The version first: what follows is as new, or newer.
  if (db.execute("leader", leader_sql, {}, leader) != statement_result::done ||
      db.execute("nodes", nodes_sql, {}, nodes) != statement_result::done ||
      db.execute("shards", shards_sql, {}, shards) != statement_result::done)
    return std::nullopt;
  cluster_view view;
  for (const auto& r : nodes)
    view.nodes.push_back({r[0].c_str(), incarnation(r[1].as<std::int64_t>()), r[2].c_str(),
                          r[3].as<bool>(), r[4].as<bool>(), r[5].as<bool>()});
  for (const auto& r : shards)
    view.shards.push_back(
        {r[0].c_str(), incarnation(r[1].as<std::int64_t>()), epoch(r[2].as<std::int64_t>())});
  if (!leader.empty()) {
    view.leader = incarnation(leader[0][0].as<std::int64_t>());
    view.version = leader[0][1].as<std::int64_t>();
  }
  return view;
}

cluster_store::led cluster_store::lead(incarnation self, std::chrono::milliseconds ttl,
                                       const cluster_decision& what) {
  pqxx::result row;
  const binary_parameters parameters{
      pqxx::binarystring(encode_int8(self.value())), pqxx::binarystring(encode_int8(ttl.count())),
      array(pg_type::int8, what.dead, [](incarnation i) { return i.value(); }),
      array(pg_type::int4, what.assign,
            [](const auto& a) { return static_cast<std::int32_t>(a.shard.value()); }),
      array(pg_type::text, what.assign, [](const auto& a) { return std::string_view(a.node); })};
  if (connection_->execute("lead", lead_sql, parameters, row) != statement_result::done)
    return {led::outcome::unavailable, 0};
  if (row[0][0].is_null()) return {led::outcome::refused, 0};
  return {led::outcome::done, row[0][0].as<std::int64_t>()};
}

cluster_store::written cluster_store::set_draining(const std::string& node, bool draining) {
  pqxx::result rows;
  const auto result = connection_->execute(
      "drain", drain_sql, {binary(node), binary(draining ? "true" : "false")}, rows);
  return outcome_of(result, rows);
}

cluster_store::written cluster_store::forget(const std::string& node) {
  pqxx::result rows;
  const auto result = connection_->execute("forget", forget_sql, {binary(node)}, rows);
  const auto what = outcome_of(result, rows);
  return what == written::done && !rows[0][0].as<bool>() ? written::refused : what;
}

cluster_store::written cluster_store::assign(shard_id shard, const std::string& node) {
  pqxx::result rows;
  const auto id = encode_int4(static_cast<std::int32_t>(shard.value()));
  const auto result =
      connection_->execute("assign", assign_sql, {pqxx::binarystring(id), binary(node)}, rows);
  return outcome_of(result, rows);
}

void cluster_store::interrupt() {
  connection_->interrupt();
}

}  // namespace troupe::store
