#include "runtime/store/commit_statement.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "runtime/base/ensure.hpp"
#include "runtime/store/array_encoder.hpp"

namespace troupe::store {
namespace {

using type_list = std::vector<pg_type>;

// One table's share of the statement. `{rows}` stands for the rows that the batch has for it, with
// columns c1, c2 ...: all of them while the epoch holds, none afterwards. $1 is the shard.
struct part {
  type_list types;
  std::vector<std::string_view> statements;
  bool (*used)(const commit_batch&);
  void (*encode)(const commit_batch&, binary_parameters&);
};

template <class Rows, class Value>
void add_column(binary_parameters& out, pg_type type, const Rows& rows, Value value) {
  array_encoder column(type, rows.size());
  for (const auto& row : rows) column.put(value(row));
  out.emplace_back(std::move(column).take());
}

template <auto Member>
bool has(const commit_batch& b) {
  return !(b.*Member).empty();
}

// Getters of a field by reference to text, or by value.
template <auto Field>
constexpr auto field = [](const auto& row) { return row.*Field; };
template <auto Field>
constexpr auto text_field = [](const auto& row) { return std::string_view(row.*Field); };
template <auto Entity>
constexpr auto kind_of = [](const auto& row) { return std::string_view((row.*Entity).kind); };
template <auto Entity>
constexpr auto key_of = [](const auto& row) { return std::string_view((row.*Entity).key); };
template <auto Field>
constexpr auto number = [](const auto& row) { return (row.*Field).value(); };
constexpr auto map_name = [](const auto& row) { return std::string_view(row.first); };
constexpr auto map_number = [](const auto& row) { return row.second.value(); };

const part positions{{pg_type::text, pg_type::int8},
                     {"insert into position(shard, topic, next) select $1, c1, c2 from {rows} "
                      "on conflict (shard, topic) do update set next = excluded.next"},
                     has<&commit_batch::positions>,
                     [](const commit_batch& b, binary_parameters& out) {
                       add_column(out, pg_type::text, b.positions, map_name);
                       add_column(out, pg_type::int8, b.positions, map_number);
                     }};

const part entities{
    {pg_type::text, pg_type::text, pg_type::int4, pg_type::json, pg_type::int4},
    {"insert into entity(shard, kind, key, schema, state, follows) "
     "select $1, c1, c2, c3, c4, c5 <> 0 from {rows} "
     "on conflict (shard, kind, key) do update "
     "set schema = excluded.schema, state = excluded.state, follows = excluded.follows, "
     "saved_at = excluded.saved_at"},
    has<&commit_batch::entities>,
    [](const commit_batch& b, binary_parameters& out) {
      add_column(out, pg_type::text, b.entities, kind_of<&entity_row::id>);
      add_column(out, pg_type::text, b.entities, key_of<&entity_row::id>);
      add_column(out, pg_type::int4, b.entities, field<&entity_row::schema>);
      add_column(out, pg_type::json, b.entities, text_field<&entity_row::state>);
      add_column(out, pg_type::int4, b.entities,
                 [](const entity_row& row) { return row.follows ? 1 : 0; });
    }};

const part outbox{
    {pg_type::text, pg_type::int8, pg_type::text, pg_type::json},
    {"insert into outbox(shard, target, seq, key, payload) select $1, c1, c2, c3, c4 from {rows}",
     "insert into outbox_sequence(shard, target, last) "
     "select $1, c1, max(c2) from {rows} group by c1 "
     "on conflict (shard, target) do update set last = excluded.last"},
    has<&commit_batch::outbox>,
    [](const commit_batch& b, binary_parameters& out) {
      add_column(out, pg_type::text, b.outbox, text_field<&outbox_row::target>);
      add_column(out, pg_type::int8, b.outbox, number<&outbox_row::seq>);
      add_column(out, pg_type::text, b.outbox, text_field<&outbox_row::key>);
      add_column(out, pg_type::json, b.outbox, text_field<&outbox_row::payload>);
    }};

const part delivered{
    {pg_type::text, pg_type::int8},
    {"delete from outbox o using {rows} where o.shard = $1 and o.target = r.c1 and o.seq <= r.c2"},
    has<&commit_batch::delivered>,
    [](const commit_batch& b, binary_parameters& out) {
      add_column(out, pg_type::text, b.delivered, text_field<&delivered_range::target>);
      add_column(out, pg_type::int8, b.delivered, number<&delivered_range::up_to>);
    }};

const part timers_set{
    {pg_type::text, pg_type::text, pg_type::text, pg_type::timestamptz, pg_type::json},
    {"insert into timer(shard, kind, key, name, due, message) "
     "select $1, c1, c2, c3, c4, c5 from {rows} "
     "on conflict (shard, kind, key, name) do update "
     "set due = excluded.due, message = excluded.message"},
    has<&commit_batch::timers_set>,
    [](const commit_batch& b, binary_parameters& out) {
      add_column(out, pg_type::text, b.timers_set, kind_of<&timer_row::owner>);
      add_column(out, pg_type::text, b.timers_set, key_of<&timer_row::owner>);
      add_column(out, pg_type::text, b.timers_set, text_field<&timer_row::name>);
      add_column(out, pg_type::timestamptz, b.timers_set, field<&timer_row::due>);
      add_column(out, pg_type::json, b.timers_set, text_field<&timer_row::message>);
    }};

const part timers_cleared{
    {pg_type::text, pg_type::text, pg_type::text},
    {"delete from timer t using {rows} "
     "where t.shard = $1 and t.kind = r.c1 and t.key = r.c2 and t.name = r.c3"},
    has<&commit_batch::timers_cleared>,
    [](const commit_batch& b, binary_parameters& out) {
      add_column(out, pg_type::text, b.timers_cleared, kind_of<&timer_key::owner>);
      add_column(out, pg_type::text, b.timers_cleared, key_of<&timer_key::owner>);
      add_column(out, pg_type::text, b.timers_cleared, text_field<&timer_key::name>);
    }};

// Each commit that brings answers takes some expired ones away, which keeps the table bounded
// without a sweeper.
const part answers{
    {pg_type::text, pg_type::json, pg_type::int8},
    {"insert into answer(shard, request, answer, expires) "
     "select $1, c1, c2, now() + c3 * interval '1 second' from {rows} "
     "on conflict (shard, request) do update "
     "set answer = excluded.answer, expires = excluded.expires",
     "delete from answer a using (select request from answer where shard = $1 and expires < now() "
     "order by expires limit 100) old where a.shard = $1 and a.request = old.request "
     "and not exists (select 1 from {rows} where r.c1 = a.request) "
     "and exists (select 1 from fence)"},
    has<&commit_batch::answers>,
    [](const commit_batch& b, binary_parameters& out) {
      add_column(out, pg_type::text, b.answers, text_field<&answer_row::request>);
      add_column(out, pg_type::json, b.answers, text_field<&answer_row::answer>);
      add_column(out, pg_type::int8, b.answers,
                 [](const answer_row& row) { return std::int64_t{row.kept.count()}; });
    }};

const part channels{{pg_type::int4, pg_type::int8},
                    {"insert into channel(shard, source, applied) select $1, c1, c2 from {rows} "
                     "on conflict (shard, source) do update set applied = excluded.applied"},
                    has<&commit_batch::channels>,
                    [](const commit_batch& b, binary_parameters& out) {
                      add_column(out, pg_type::int4, b.channels, [](const auto& row) {
                        return static_cast<std::int32_t>(row.first.value());
                      });
                      add_column(out, pg_type::int8, b.channels, map_number);
                    }};

const part quarantined{
    {pg_type::text, pg_type::text, pg_type::text, pg_type::int8, pg_type::text, pg_type::bytea,
     pg_type::text},
    {"insert into quarantine(shard, kind, key, source, place, record_key, input, reason) "
     "select $1, c1, c2, c3, c4, c5, c6, c7 from {rows}"},
    has<&commit_batch::quarantined>,
    [](const commit_batch& b, binary_parameters& out) {
      const auto& rows = b.quarantined;
      add_column(out, pg_type::text, rows, kind_of<&quarantine_row::entity>);
      add_column(out, pg_type::text, rows, key_of<&quarantine_row::entity>);
      add_column(out, pg_type::text, rows, text_field<&quarantine_row::source>);
      add_column(out, pg_type::int8, rows, field<&quarantine_row::place>);
      add_column(out, pg_type::text, rows, text_field<&quarantine_row::key>);
      add_column(out, pg_type::bytea, rows, text_field<&quarantine_row::input>);
      add_column(out, pg_type::text, rows, text_field<&quarantine_row::reason>);
    }};

const std::array runtime_list{&positions,      &entities, &outbox,   &delivered,  &timers_set,
                              &timers_cleared, &answers,  &channels, &quarantined};

constexpr std::size_t tables_max = 48;
static_assert(std::tuple_size_v<decltype(runtime_list)> + tables_max <= 64);

constexpr part_mask bit(std::size_t i) {
  return part_mask{1} << i;
}

// Composes the statement part by part; parameters are numbered in the order in which `encode` adds
// them.
class composer {
 public:
  void add(const type_list& types, const std::vector<std::string_view>& statements) {
    const auto rows = relation(types);
    for (const auto statement : statements) {
      sql_ += ", w" + std::to_string(++writes_) + " as (";
      append_with(statement, rows);
      sql_ += ')';
    }
  }
  std::string take() && { return sql_ + " select count(*) from fence"; }

 private:
  std::string relation(const type_list& types) {
    std::string arrays, names;
    for (std::size_t i = 0; i < types.size(); ++i) {
      arrays += (i == 0 ? "$" : ", $") + std::to_string(++parameters_) + "::";
      arrays += array_name(types[i]);
      names += (i == 0 ? "c" : ", c") + std::to_string(i + 1);
    }
    return "(select * from unnest(" + arrays + ") as u(" + names +
           ") where exists (select 1 from fence)) as r";
  }

  void append_with(std::string_view statement, const std::string& rows) {
    constexpr std::string_view marker = "{rows}";
    for (auto at = statement.find(marker); at != std::string_view::npos;
         at = statement.find(marker)) {
      sql_.append(statement.substr(0, at)).append(rows);
      statement.remove_prefix(at + marker.size());
    }
    sql_.append(statement);
  }

  std::string sql_ =
      "with fence as materialized "
      "(select 1 from shard where id = $1::int4 and epoch = $2::int8 for share)";
  int parameters_ = 2;
  int writes_ = 0;
};

type_list types_of(const table_def& table) {
  type_list types;
  for (const auto column : table.columns) types.push_back(type_of(column));
  return types;
}

}  // namespace

commit_statement::commit_statement(std::vector<const table_def*> tables)
    : tables_(std::move(tables)) {
  ensure(tables_.size() <= tables_max, "at most 48 result tables");
}

part_mask commit_statement::runtime_parts() const {
  return bit(runtime_list.size()) - 1;
}

part_mask commit_statement::table_part(std::size_t table) const {
  return bit(runtime_list.size() + table);
}

std::size_t commit_statement::index_of(const table_def& table) const {
  const auto found = std::find(tables_.begin(), tables_.end(), &table);
  ensure(found != tables_.end(), "a result table of the catalog");
  return static_cast<std::size_t>(found - tables_.begin());
}

commit_statement::encoded commit_statement::encode(const commit_batch& batch) const {
  encoded out;
  out.parameters.emplace_back(encode_int4(static_cast<std::int32_t>(batch.shard.value())));
  out.parameters.emplace_back(encode_int8(batch.era.value()));
  for (std::size_t i = 0; i < runtime_list.size(); ++i)
    if (runtime_list[i]->used(batch)) {
      out.used |= bit(i);
      runtime_list[i]->encode(batch, out.parameters);
    }
  std::map<std::size_t, const row_block*> blocks;
  for (const auto& block : batch.rows)
    if (block.rows() != 0)
      ensure(blocks.emplace(index_of(block.table()), &block).second, "one block a table");
  for (const auto& [table, block] : blocks) {
    out.used |= table_part(table);
    for (std::size_t i = 0; i < block->table().columns.size(); ++i)
      out.parameters.emplace_back(encode_column(block->table().columns[i], block->column(i)));
  }
  return out;
}

const commit_statement::text& commit_statement::statement(part_mask used) {
  const auto found = texts_.find(used);
  if (found != texts_.end()) return found->second;
  composer sql;
  for (std::size_t i = 0; i < runtime_list.size(); ++i)
    if ((used & bit(i)) != 0) sql.add(runtime_list[i]->types, runtime_list[i]->statements);
  for (std::size_t i = 0; i < tables_.size(); ++i)
    if ((used & table_part(i)) != 0) sql.add(types_of(*tables_[i]), {tables_[i]->insert});
  return texts_.emplace(used, text{"commit_" + std::to_string(used), std::move(sql).take()})
      .first->second;
}

}  // namespace troupe::store
