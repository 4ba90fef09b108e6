#include "runtime/store/node_store.hpp"

#include "runtime/store/array_encoder.hpp"
#include "runtime/store/pg_connection.hpp"
#include "runtime/store/store_error.hpp"

namespace troupe::store {
namespace {

// The predecessor's connections are ended with its incarnation: a statement of its that is under
// way ends now instead of at its timeout. Whether the server lets us is not important: its epochs
// are fenced anyhow.
constexpr auto join_sql = R"sql(
with old as (select id, incarnation from node where id = $1::text),
ended as (
  select pg_terminate_backend(a.pid) from pg_stat_activity a, old
  where a.application_name = left('troupe:' || old.id || ':' || old.incarnation, 63)
    and a.datname = current_database() and a.usename = current_user),
joined as (
  insert into node(id, incarnation, address, version, state, alive_until, started_at)
  values ($1::text, nextval('incarnation_number'), $2::text, $3::text, 'live',
          now() + $4::int8 * interval '1 millisecond', now())
  on conflict (id) do update set incarnation = excluded.incarnation, address = excluded.address,
    version = excluded.version, state = excluded.state, alive_until = excluded.alive_until,
    started_at = excluded.started_at, draining = false
  returning incarnation)
select (select incarnation from joined), (select count(*) from ended))sql";

constexpr auto renew_sql = R"sql(
with renewed as (
  update node set alive_until = now() + $2::int8 * interval '1 millisecond'
  where incarnation = $1::int8 and state = 'live' returning 1)
select exists (select 1 from renewed),
       exists (select 1 from node where incarnation = $1::int8))sql";

constexpr auto leave_sql =
    "update node set state = 'left', alive_until = now() "
    "where incarnation = $1::int8 and state = 'live'";

constexpr auto declare_dead_sql = R"sql(
with dead as (
  update node set state = 'dead' where incarnation = $1::int8 and state = 'live'
  returning id, incarnation),
ended as (
  select pg_terminate_backend(a.pid) from pg_stat_activity a, dead
  where a.application_name = left('troupe:' || dead.id || ':' || dead.incarnation, 63)
    and a.datname = current_database() and a.usename = current_user)
select count(*) from ended)sql";

connection_options connection_of(const node_store::options& o) {
  connection_options c;
  c.dsn = o.dsn;
  c.application_name = "troupe:membership";
  c.statement_timeout = o.statement_timeout;
  c.tcp_user_timeout = o.statement_timeout;
  c.connect_timeout = o.connect_timeout;
  return c;
}

pqxx::binarystring binary(std::int64_t v) {
  return pqxx::binarystring(encode_int8(v));
}
pqxx::binarystring binary(const std::string& v) {
  return pqxx::binarystring(v);
}

}  // namespace

struct node_store::connection : pg_connection {
  using pg_connection::pg_connection;
};

node_store::node_store(const options& o)
    : connection_(std::make_unique<connection>(connection_of(o))) {}

node_store::~node_store() = default;

incarnation node_store::join(const std::string& node, const std::string& address,
                             const std::string& version, std::chrono::milliseconds ttl) {
  pqxx::result row;
  const auto result = connection_->execute(
      "join", join_sql, {binary(node), binary(address), binary(version), binary(ttl.count())}, row);
  if (result != statement_result::done) throw unavailable_error(connection_->last_error());
  return incarnation(row[0][0].as<std::int64_t>());
}

renewal node_store::renew(incarnation life, std::chrono::milliseconds ttl) {
  pqxx::result row;
  const auto result =
      connection_->execute("renew", renew_sql, {binary(life.value()), binary(ttl.count())}, row);
  if (result != statement_result::done) return renewal::unavailable;
  if (row[0][0].as<bool>()) return renewal::renewed;
  return row[0][1].as<bool>() ? renewal::dead : renewal::superseded;
}

bool node_store::leave(incarnation life) {
  pqxx::result none;
  return connection_->execute("leave", leave_sql, {binary(life.value())}, none) ==
         statement_result::done;
}

bool node_store::declare_dead(incarnation life) {
  pqxx::result none;
  return connection_->execute("declare_dead", declare_dead_sql, {binary(life.value())}, none) ==
         statement_result::done;
}

void node_store::interrupt() {
  connection_->interrupt();
}

}  // namespace troupe::store
