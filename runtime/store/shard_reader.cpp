#include "runtime/store/shard_reader.hpp"

#include "runtime/store/array_encoder.hpp"

namespace troupe::store {
namespace {

// Compared with the server's clock alone. The owner's row is gone (superseded), marked dead or
// left, or has run out.
constexpr auto take_sql = R"sql(
update shard s set owner = me.id, incarnation = me.incarnation, epoch = s.epoch + 1
from node me
where s.id = $1::int4 and me.incarnation = $2::int8 and me.state = 'live' and me.alive_until > now()
  and (s.assigned is null or s.assigned = me.id or s.incarnation = me.incarnation)
  and (s.incarnation is null or s.incarnation = me.incarnation or not exists (
    select 1 from node n
    where n.incarnation = s.incarnation and n.state = 'live' and n.alive_until > now()))
returning s.epoch)sql";

constexpr auto release_sql =
    "update shard set owner = null, incarnation = null, epoch = epoch + 1 "
    "where id = $1::int4 and epoch = $2::int8";

constexpr auto entities_sql =
    "select e.kind, e.key, e.schema, e.state, (extract(epoch from e.saved_at) * 1000000)::int8 "
    "from unnest($2::text[], $3::text[]) as w(kind, key) "
    "join entity e on e.shard = $1::int4 and e.kind = w.kind and e.key = w.key";

constexpr auto answer_sql =
    "select answer from answer where shard = $1::int4 and request = $2::text and expires > now()";

pqxx::binarystring binary(shard_id shard) {
  return pqxx::binarystring(encode_int4(static_cast<std::int32_t>(shard.value())));
}
template <class Id>
pqxx::binarystring binary(Id id) {
  return pqxx::binarystring(encode_int8(id.value()));
}

std::string text(const pqxx::field& f) {
  return {f.c_str(), f.size()};
}
std::int64_t number(const pqxx::field& f) {
  return f.as<std::int64_t>();
}

// Runs a query about one shard and hands each row to `visit`; false if that failed.
template <class Visit>
bool each(pg_connection& db, const char* name, const char* sql, const binary_parameters& parameters,
          Visit visit) {
  pqxx::result rows;
  if (db.execute(name, sql, parameters, rows) != statement_result::done) return false;
  for (const auto& row : rows) visit(row);
  return true;
}

template <auto Value>
pqxx::binarystring text_array(const std::vector<entity_id>& ids) {
  array_encoder out(pg_type::text, ids.size());
  for (const auto& id : ids) out.put(std::string_view(id.*Value));
  return pqxx::binarystring(std::move(out).take());
}

outbox_row to_outbox(const pqxx::row& r) {
  return {text(r[0]), sequence(number(r[1])), text(r[2]), text(r[3])};
}
timer_row to_timer(const pqxx::row& r) {
  return {{text(r[0]), text(r[1])}, text(r[2]), from_micros(number(r[3])), text(r[4])};
}

}  // namespace

commit_outcome take_shard(pg_connection& db, shard_id shard, incarnation owner, epoch& era) {
  pqxx::result rows;
  const auto result = db.execute("take", take_sql, {binary(shard), binary(owner)}, rows);
  // Whether it was taken when the answer was lost does not matter: taking it again raises the epoch
  // again.
  if (result != statement_result::done) return commit_outcome::unavailable;
  if (rows.empty()) return commit_outcome::fenced;
  era = epoch(number(rows[0][0]));
  return commit_outcome::committed;
}

void release_shard(pg_connection& db, shard_id shard, epoch era) {
  pqxx::result none;
  db.execute("release", release_sql, {binary(shard), binary(era)}, none);
}

std::optional<shard_image> read_image(pg_connection& db, shard_id shard) {
  shard_image image;
  const binary_parameters id{binary(shard)};
  const bool complete =
      each(db, "positions", "select topic, next from position where shard = $1::int4", id,
           [&](const auto& r) { image.positions.emplace(text(r[0]), position(number(r[1]))); }) &&
      each(db, "sequences", "select target, last from outbox_sequence where shard = $1::int4", id,
           [&](const auto& r) { image.sequences.emplace(text(r[0]), sequence(number(r[1]))); }) &&
      each(db, "outbox",
           "select target, seq, key, payload from outbox where shard = $1::int4 order by target, "
           "seq",
           id, [&](const auto& r) { image.outbox.push_back(to_outbox(r)); }) &&
      each(db, "timers",
           "select kind, key, name, (extract(epoch from due) * 1000000)::int8, message "
           "from timer where shard = $1::int4 order by due",
           id, [&](const auto& r) { image.timers.push_back(to_timer(r)); }) &&
      each(db, "channels", "select source, applied from channel where shard = $1::int4", id,
           [&](const auto& r) {
             image.channels.emplace(shard_id(r[0].template as<std::uint32_t>()),
                                    sequence(number(r[1])));
           }) &&
      each(db, "following", "select kind, key from entity where shard = $1::int4 and follows", id,
           [&](const auto& r) {
             image.following.push_back({text(r[0]), text(r[1])});
           });
  return complete ? std::optional(std::move(image)) : std::nullopt;
}

std::optional<std::vector<entity_row>> read_entities(pg_connection& db, shard_id shard,
                                                     const std::vector<entity_id>& ids) {
  std::vector<entity_row> found;
  if (ids.empty()) return found;
  const binary_parameters parameters{binary(shard), text_array<&entity_id::kind>(ids),
                                     text_array<&entity_id::key>(ids)};
  const bool complete = each(db, "entities", entities_sql, parameters, [&](const auto& r) {
    found.push_back({{text(r[0]), text(r[1])},
                     r[2].template as<int>(),
                     text(r[3]),
                     false,
                     from_micros(number(r[4]))});
  });
  return complete ? std::optional(std::move(found)) : std::nullopt;
}

std::optional<std::optional<std::string>> read_answer(pg_connection& db, shard_id shard,
                                                      const std::string& request) {
  std::optional<std::string> found;
  const bool reached = each(db, "answer", answer_sql, {binary(shard), pqxx::binarystring(request)},
                            [&](const auto& r) { found = text(r[0]); });
  return reached ? std::optional(std::move(found)) : std::nullopt;
}

}  // namespace troupe::store
