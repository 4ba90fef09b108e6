#include <algorithm>
#include <map>

#include "runtime/base/log.hpp"
#include "runtime/store/migration.hpp"
#include "runtime/store/pg_connection.hpp"

namespace troupe::store {
namespace {

// One number for all that is done once for the whole database.
constexpr const char* lock_database = "select pg_advisory_xact_lock(7236832731)";

connection_options patient(const std::string& dsn) {
  connection_options o;
  o.dsn = dsn;
  o.application_name = "troupe:migrate";
  o.keyed_plans = false;
  o.statement_timeout = std::chrono::milliseconds(0);  // A migration takes what it takes.
  o.idle_in_transaction_timeout = std::chrono::milliseconds(60'000);
  return o;
}

void transact(pg_connection& db, const std::function<void(pqxx::work&)>& body) {
  const auto result = db.transact([&](pqxx::work& tx) {
    tx.exec(lock_database);
    body(tx);
  });
  if (result == statement_result::rejected || db.refused_for_good()) throw refused(db.last_error());
  if (result != statement_result::done) throw unavailable_error(db.last_error());
}

using checksums = std::map<std::string, std::string, std::less<>>;

checksums applied(pqxx::work& tx) {
  checksums found;
  if (tx.exec("select to_regclass('schema_migration') is null")[0][0].as<bool>()) return found;
  for (const auto& row : tx.exec("select name, checksum from schema_migration"))
    found.emplace(row[0].c_str(), row[1].c_str());
  return found;
}

std::string checksum(pqxx::work& tx, std::string_view sql) {
  return tx
      .exec_params("select encode(sha256(convert_to($1, 'UTF8')), 'hex')", std::string(sql))[0][0]
      .c_str();
}

void refuse_unknown(const checksums& found, std::span<const migration> wanted) {
  for (const auto& [name, sum] : found)
    if (std::none_of(wanted.begin(), wanted.end(), [&](const auto& m) { return m.name == name; }))
      throw refused("the database has migration " + name +
                    ", which this binary does not know: it was made by a newer one");
}

// Whether `m` is applied, with the same text.
bool is_applied(pqxx::work& tx, const checksums& found, const migration& m) {
  const auto at = found.find(m.name);
  if (at == found.end()) return false;
  if (at->second != checksum(tx, m.sql))
    throw refused("migration " + std::string(m.name) +
                  " was applied with another text: a released migration must not change");
  return true;
}

std::vector<const migration*> missing(pqxx::work& tx, std::span<const migration> wanted) {
  const auto found = applied(tx);
  refuse_unknown(found, wanted);
  std::vector<const migration*> out;
  for (const auto& m : wanted)
    if (!is_applied(tx, found, m)) out.push_back(&m);
  return out;
}

std::vector<const migration*> find_missing(pg_connection& db, std::span<const migration> wanted) {
  std::vector<const migration*> out;
  transact(db, [&](pqxx::work& tx) { out = missing(tx, wanted); });
  return out;
}

// Returns false if another runner was faster.
bool apply(pg_connection& db, const migration& m) {
  bool done = false;
  transact(db, [&](pqxx::work& tx) {
    tx.exec(
        "create table if not exists schema_migration(name text primary key, "
        "checksum text not null, applied_at timestamptz not null default now())");
    if (is_applied(tx, applied(tx), m)) return;
    try {
      tx.exec(std::string(m.sql));
    } catch (const pqxx::sql_error& e) {
      throw refused("migration " + std::string(m.name) + " failed: " + e.what());
    }
    tx.exec_params("insert into schema_migration(name, checksum) values ($1, $2)",
                   std::string(m.name), checksum(tx, m.sql));
    done = true;
  });
  if (done) log::info("store", "migration_applied", {{"name", m.name}});
  return done;
}

void require(const std::string& setting, const std::string& database, const std::string& config) {
  if (database != config)
    throw refused("cluster setting " + setting + " is " + database + " in the database, but " +
                  config + " in the configuration; it is fixed when the cluster is made");
}

std::string claim_setting(pqxx::work& tx, const std::string& name, const std::string& value) {
  tx.exec_params("insert into cluster_setting values ($1, $2) on conflict do nothing", name, value);
  return tx.exec_params("select value from cluster_setting where name = $1", name)[0][0].c_str();
}

}  // namespace

std::vector<std::string> migrate(const std::string& dsn, std::span<const migration> wanted) {
  pg_connection db(patient(dsn));
  std::vector<std::string> done;
  for (const auto* m : find_missing(db, wanted))
    if (apply(db, *m)) done.emplace_back(m->name);
  return done;
}

std::vector<std::string> missing_migrations(const std::string& dsn,
                                            std::span<const migration> wanted) {
  pg_connection db(patient(dsn));
  std::vector<std::string> names;
  for (const auto* m : find_missing(db, wanted)) names.emplace_back(m->name);
  return names;
}

void claim_cluster(const std::string& dsn, const cluster_settings& settings) {
  pg_connection db(patient(dsn));
  transact(db, [&](pqxx::work& tx) {
    const auto count = std::to_string(settings.shard_count);
    require("name", claim_setting(tx, "name", settings.name), settings.name);
    require("shard_count", claim_setting(tx, "shard_count", count), count);
    tx.exec_params(
        "insert into shard(id) select generate_series(0, $1::int - 1) on conflict do nothing",
        count);
  });
}

}  // namespace troupe::store
