#include "runtime/store/shard_reader.hpp"

#include "runtime/store/array_encoder.hpp"

namespace troupe::store {
namespace {

// Compared with the server's clock alone. The owner's row is gone (superseded), marked dead or
// left, or has run out.
constexpr auto take_sql = R"sql(
update shard s set owner = me.id, incarnation = me.incarnation, epoch = s.epoch + 1
from node me
where s.id = any($1::int4[]) and me.incarnation = $2::int8 and me.state = 'live' and me.alive_until > now()
  and (s.assigned is null or s.assigned = me.id or s.incarnation = me.incarnation)
  and (s.incarnation is null or s.incarnation = me.incarnation or not exists (
    select 1 from node n
    where n.incarnation = s.incarnation and n.state = 'live' and n.alive_until > now()))
returning s.id, s.epoch)sql";

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

pqxx::binarystring int4_array(const std::vector<shard_id>& shards) {
  array_encoder out(pg_type::int4, shards.size());
  for (const auto shard : shards) out.put(static_cast<std::int32_t>(shard.value()));
  return pqxx::binarystring(std::move(out).take());
}

shard_id shard_of(const pqxx::field& f) {
  return shard_id(f.as<std::uint32_t>());
}
outbox_row to_outbox(const pqxx::row& r) {
  return {text(r[1]), sequence(number(r[2])), text(r[3]), text(r[4])};
}
timer_row to_timer(const pqxx::row& r) {
  return {{text(r[1]), text(r[2])}, text(r[3]), from_micros(number(r[4])), text(r[5])};
}

}  // namespace

// Whether they were taken when the answer was lost does not matter: taking them again raises the
// epochs again.
std::optional<std::map<shard_id, epoch>> take_shards(pg_connection& db,
                                                     const std::vector<shard_id>& shards,
                                                     incarnation owner) {
  std::map<shard_id, epoch> taken;
  const bool reached =
      each(db, "take", take_sql, {int4_array(shards), binary(owner)},
           [&](const auto& r) { taken.emplace(shard_of(r[0]), epoch(number(r[1]))); });
  return reached ? std::optional(std::move(taken)) : std::nullopt;
}

void release_shard(pg_connection& db, shard_id shard, epoch era) {
  pqxx::result none;
  db.execute("release", release_sql, {binary(shard), binary(era)}, none);
}

std::optional<std::map<shard_id, shard_image>> read_images(pg_connection& db,
                                                           const std::vector<shard_id>& shards) {
  std::map<shard_id, shard_image> all;
  for (const auto shard : shards) all[shard];
  const binary_parameters ids{int4_array(shards)};
  const auto read = [&](const char* name, const char* sql, auto keep) {
    return each(db, name, sql, ids, [&](const auto& r) { keep(all.at(shard_of(r[0])), r); });
  };
  const bool complete =
      read("positions", "select shard, topic, next from position where shard = any($1::int4[])",
           [](auto& to, const auto& r) {
             to.positions.emplace(text(r[1]), position(number(r[2])));
           }) &&
      read("sequences",
           "select shard, target, last from outbox_sequence where shard = any($1::int4[])",
           [](auto& to, const auto& r) {
             to.sequences.emplace(text(r[1]), sequence(number(r[2])));
           }) &&
      read("outbox",
           "select shard, target, seq, key, payload from outbox where shard = any($1::int4[]) "
           "order by shard, target, seq",
           [](auto& to, const auto& r) { to.outbox.push_back(to_outbox(r)); }) &&
      read("timers",
           "select shard, kind, key, name, (extract(epoch from due) * 1000000)::int8, message "
           "from timer where shard = any($1::int4[]) order by due",
           [](auto& to, const auto& r) { to.timers.push_back(to_timer(r)); }) &&
      read("channels", "select shard, source, applied from channel where shard = any($1::int4[])",
           [](auto& to, const auto& r) {
             to.channels.emplace(shard_of(r[1]), sequence(number(r[2])));
           }) &&
      read("following",
           "select shard, kind, key from entity where shard = any($1::int4[]) and follows",
           [](auto& to, const auto& r) {
             to.following.push_back({text(r[1]), text(r[2])});
           });
  return complete ? std::optional(std::move(all)) : std::nullopt;
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
  if (!reached) return std::nullopt;  // Not the same as an answer that is not there.
  return std::optional<std::optional<std::string>>(std::in_place, std::move(found));
}

}  // namespace troupe::store
