#include "runtime/store/status_reader.hpp"

#include <array>

#include "runtime/base/ensure.hpp"
#include "runtime/store/throwing_connection.hpp"

namespace troupe::store {
namespace {

constexpr auto nodes_sql = R"sql(
select id, incarnation, address, version, state, state = 'live' and alive_until > now(),
       (extract(epoch from started_at) * 1000000)::int8
from node order by id)sql";

constexpr auto shards_sql = R"sql(
select s.id, coalesce(s.owner, ''), s.epoch, coalesce(n.state = 'live' and n.alive_until > now(), false),
       coalesce(e.n, 0), coalesce(o.n, 0), coalesce(t.n, 0), coalesce(q.n, 0)
from shard s
left join node n on n.incarnation = s.incarnation
left join (select shard, count(*) n from entity group by 1) e on e.shard = s.id
left join (select shard, count(*) n from outbox group by 1) o on o.shard = s.id
left join (select shard, count(*) n from timer group by 1) t on t.shard = s.id
left join (select shard, count(*) n from quarantine where state = 'held' group by 1) q on q.shard = s.id
order by s.id)sql";

constexpr auto quarantine_sql = R"sql(
select id, shard, kind, key, source, place, record_key, input, reason, state,
       (extract(epoch from at) * 1000000)::int8
from quarantine where ($1 = '' or state = $1) and ($2::int8 = 0 or id = $2::int8)
order by id desc limit $3::int)sql";

constexpr std::array state_names{"held", "retried", "purged"};

quarantine_state parse_state(std::string_view name) {
  for (std::size_t i = 0; i < state_names.size(); ++i)
    if (name == state_names[i]) return static_cast<quarantine_state>(i);
  ensure(false, "a quarantine state of the table's check");
  return {};
}

std::string text(const pqxx::field& f) {
  return {f.c_str(), f.size()};
}
std::int64_t number(const pqxx::field& f) {
  return f.as<std::int64_t>();
}
shard_id shard(const pqxx::field& f) {
  return shard_id(f.as<std::uint32_t>());
}

node_status to_node(const pqxx::row& r) {
  return {text(r[0]),      incarnation(number(r[1])), text(r[2]), text(r[3]), text(r[4]),
          r[5].as<bool>(), from_micros(number(r[6]))};
}
shard_status to_shard(const pqxx::row& r) {
  return {shard(r[0]),  text(r[1]),   epoch(number(r[2])), r[3].as<bool>(),
          number(r[4]), number(r[5]), number(r[6]),        number(r[7])};
}
quarantine_status to_quarantine(const pqxx::row& r) {
  return {number(r[0]),
          shard(r[1]),
          {text(r[2]), text(r[3])},
          text(r[4]),
          number(r[5]),
          text(r[6]),
          pqxx::binarystring(r[7]).str(),
          text(r[8]),
          parse_state(text(r[9])),
          from_micros(number(r[10]))};
}

/// The columns of a result, decimals as their shortest text: readers of JSON take numbers for
/// doubles, which have no room for all digits of money.
std::string exact_columns(pqxx::work& tx, const pqxx::result& shape) {
  constexpr pqxx::oid numeric = 1700;  // pg_type has it for ever.
  std::string all;
  for (pqxx::row::size_type i = 0; i < shape.columns(); ++i) {
    const auto name = tx.quote_name(shape.column_name(i));
    all += i == 0 ? "" : ", ";
    all += shape.column_type(i) == numeric ? "trim_scale(" + name + ")::text as " + name : name;
  }
  return all;
}

connection_options connection_of(const std::string& dsn) {
  connection_options c;
  c.dsn = dsn;
  c.application_name = "troupe:status";
  c.keyed_plans = false;
  return c;
}

}  // namespace

std::string_view to_string(quarantine_state state) {
  return state_names[static_cast<std::size_t>(state)];
}

struct status_reader::connection : throwing_connection {
  using throwing_connection::throwing_connection;

  template <class Row>
  std::vector<Row> list(const char* sql, Row (*convert)(const pqxx::row&)) {
    std::vector<Row> out;
    run([&](pqxx::work& tx) {
      for (const auto& row : tx.exec(sql)) out.push_back(convert(row));
    });
    return out;
  }
};

status_reader::status_reader(const std::string& dsn)
    : connection_(std::make_unique<connection>(connection_of(dsn))) {}

status_reader::~status_reader() = default;

std::vector<node_status> status_reader::nodes() {
  return connection_->list(nodes_sql, to_node);
}

std::vector<shard_status> status_reader::shards() {
  return connection_->list(shards_sql, to_shard);
}

std::vector<position_status> status_reader::positions() {
  return connection_->list<position_status>(
      "select shard, topic, next from position order by topic, shard", [](const pqxx::row& r) {
        return position_status{shard(r[0]), text(r[1]), position(number(r[2]))};
      });
}

std::vector<quarantine_status> status_reader::quarantine(std::optional<quarantine_state> state,
                                                         int rows_max) {
  const std::string wanted = state ? std::string(to_string(*state)) : std::string();
  std::vector<quarantine_status> out;
  connection_->run([&](pqxx::work& tx) {
    for (const auto& row : tx.exec_params(quarantine_sql, wanted, 0, rows_max))
      out.push_back(to_quarantine(row));
  });
  return out;
}

std::vector<std::int64_t> status_reader::held() {
  return connection_->list<std::int64_t>(
      "select id from quarantine where state = 'held' order by id",
      [](const pqxx::row& r) { return number(r[0]); });
}

std::optional<quarantine_status> status_reader::quarantined(std::int64_t id) {
  std::optional<quarantine_status> found;
  connection_->run([&](pqxx::work& tx) {
    for (const auto& row : tx.exec_params(quarantine_sql, "", id, 1)) found = to_quarantine(row);
  });
  return found;
}

bool status_reader::mark_quarantine(std::int64_t id, quarantine_state state) {
  bool marked = false;
  connection_->run([&](pqxx::work& tx) {
    const auto changed =
        tx.exec_params("update quarantine set state = $2 where id = $1 and state = 'held'", id,
                       std::string(to_string(state)));
    marked = changed.affected_rows() == 1;
  });
  return marked;
}

std::int64_t status_reader::count_rows(const std::string& table) {
  std::int64_t rows = 0;
  connection_->run([&](pqxx::work& tx) {
    rows = number(tx.exec("select count(*) from " + tx.quote_name(table))[0][0]);
  });
  return rows;
}

std::string status_reader::read_json(const std::string& query) {
  std::string rows;
  connection_->run([&](pqxx::work& tx) {
    const auto shape = tx.exec("select * from (" + query + ") q limit 0");
    rows = tx.exec("select coalesce(json_agg(r), '[]') from (select " + exact_columns(tx, shape) +
                   " from (" + query + ") q) r")[0][0]
               .c_str();
  });
  return rows;
}

}  // namespace troupe::store
