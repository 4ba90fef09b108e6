#include <limits>

#include "tests/runtime/store/store_fixture.hpp"

namespace troupe::store {
namespace {

const table_def quotes{"quotes",
                       {column_type::text, column_type::numeric, column_type::timestamp,
                        column_type::real, column_type::integer},
                       "insert into quotes(symbol, price, at, ratio, size) "
                       "select c1, c2, c3, c4, c5 from {rows}"};
const table_def unlisted{
    "unlisted", {column_type::integer}, "insert into unlisted select c1 from {rows}"};

constexpr auto quotes_sql =
    "create table quotes(symbol text primary key, price numeric check (price > 0), "
    "at timestamptz, ratio float8, size int8)";

struct one_node {
  one_node() { cluster.db.run(quotes_sql); }
  cluster_database cluster;
  joined_node node{cluster.db.dsn(), "n1", {&quotes}};
  shard_id shard{1};
  epoch era = node.store.take_epoch(shard);

  std::string run(const std::string& sql) { return cluster.db.run(sql); }
};

row_block quote(std::string_view symbol, std::int64_t price) {
  row_block rows(quotes);
  rows.row()
      .add(symbol)
      .add(fixed::from_raw(price))
      .add(from_micros(1'700'000'000'000'001))
      .add(std::numeric_limits<double>::quiet_NaN())
      .add(std::int64_t{7});
  return rows;
}

commit_batch full_batch(shard_id shard, epoch era) {
  auto b = batch_of(shard, era);
  b.positions = {{"market", position(42)}, {"orders", position(7)}};
  b.entities = {{{"symbol", "A/B"}, 1, R"({"n":1})"},
                {{"symbol", "ü"}, 2, R"({"text":"\u0000 and '\\"})", true}};
  b.outbox = {{"topic:bars", sequence(1), "A", R"({"bar":1})"},
              {"topic:bars", sequence(2), "A", R"({"bar":2})"},
              {"shard:3", sequence(1), "account/9", "{}"}};
  b.timers_set = {{{"order", "1"}, "expiry", from_micros(1'800'000'000'000'123), R"({"t":1})"},
                  {{"order", "2"}, "expiry", from_micros(1), "{}"}};
  b.answers = {{"request-1", R"({"ok":true})", 1h}};
  b.channels = {{shard_id(2), sequence(5)}};
  b.rows.push_back(quote("A", 1'250'000'000));
  b.quarantined = {{{"symbol", "bad"}, "market", 41, "bad", std::string("\0\xff{", 3), "threw"},
                   {{"symbol", "bad"}, "market", 42, "bad", "x", "threw"},
                   {{"order", "3"}, "shard:2", 5, "", "x", "threw"},
                   {{"order", "3"}, "shard:2", 6, "", "x", "threw"}};
  return b;
}

}  // namespace

TEST_CASE("everything in a batch is durable and comes back with the next take") {
  one_node t;
  REQUIRE(t.node.store.commit(full_batch(t.shard, t.era)) == commit_outcome::committed);
  const auto [taken, outcome] = t.node.store.take(t.shard);
  REQUIRE(taken);
  CHECK(taken->era == epoch(t.era.value() + 1));
  const auto& image = taken->image;
  CHECK(image.positions ==
        std::map<std::string, position>{{"market", position(42)}, {"orders", position(7)}});
  CHECK(image.sequences ==
        std::map<std::string, sequence>{{"topic:bars", sequence(2)}, {"shard:3", sequence(1)}});
  REQUIRE(image.outbox.size() == 3);
  CHECK(image.outbox[0].target == "shard:3");
  CHECK(image.outbox[0].key == "account/9");
  CHECK(image.outbox[2].seq == sequence(2));
  CHECK(image.outbox[2].payload == R"({"bar":2})");
  REQUIRE(image.timers.size() == 2);
  CHECK(image.timers[0].owner == entity_id{"order", "2"});
  CHECK(image.timers[1].due == from_micros(1'800'000'000'000'123));
  CHECK(image.timers[1].message == R"({"t":1})");
  CHECK(image.channels == std::map<shard_id, sequence>{{shard_id(2), sequence(5)}});
  CHECK(image.following == std::vector<entity_id>{{"symbol", "ü"}});
}

TEST_CASE("an entity that follows nothing any more is not looked for") {
  one_node t;
  t.node.store.commit(full_batch(t.shard, t.era));
  auto b = batch_of(t.shard, t.era);
  b.entities = {{{"symbol", "A/B"}, 1, "{}", true}, {{"symbol", "ü"}, 2, "{}", false}};
  REQUIRE(t.node.store.commit(std::move(b)) == commit_outcome::committed);
  CHECK(t.node.store.image(t.shard).following == std::vector<entity_id>{{"symbol", "A/B"}});
}

TEST_CASE("a quarantined input keeps every byte") {
  one_node t;
  t.node.store.commit(full_batch(t.shard, t.era));
  CHECK(t.run("select encode(input, 'hex') from quarantine where place = 41") == "00ff7b");
  CHECK(t.run("select count(*) from quarantine where state = 'held'") == "4");
}

TEST_CASE("result rows keep their exact values") {
  one_node t;
  t.node.store.commit(full_batch(t.shard, t.era));
  CHECK(t.run("select symbol || ' ' || price || ' ' || to_char(at at time zone 'UTC', 'YYYY-MM-DD "
              "HH24:MI:SS.US') "
              "|| ' ' || coalesce(ratio::text, 'null') || ' ' || size from quotes") ==
        "A 12.5 2023-11-14 22:13:20.000001 null 7");
}

TEST_CASE("entities are loaded as they were written, and only those that exist") {
  one_node t;
  t.node.store.commit(full_batch(t.shard, t.era));
  auto again = batch_of(t.shard, t.era);
  again.entities = {{{"symbol", "A/B"}, 3, R"({"n":2})"}};
  CHECK(t.node.store.commit(std::move(again)) == commit_outcome::committed);
  auto loaded =
      t.node.store.load(t.shard, {{"symbol", "A/B"}, {"symbol", "none"}, {"symbol", "ü"}});
  REQUIRE(loaded);
  REQUIRE(loaded->size() == 2);
  std::map<std::string, entity_row> by_key;
  for (const auto& e : *loaded) by_key[e.id.key] = e;
  CHECK(by_key["A/B"].schema == 3);
  CHECK(by_key["A/B"].state == R"({"n":2})");
  CHECK(by_key["ü"].state == R"({"text":"\u0000 and '\\"})");
  CHECK(t.node.store.load(shard_id(2), {{"symbol", "A/B"}})->empty());
  CHECK(t.node.store.load(t.shard, {})->empty());
}

TEST_CASE("delivered ranges and cleared timers go, the rest stays") {
  one_node t;
  t.node.store.commit(full_batch(t.shard, t.era));
  auto b = batch_of(t.shard, t.era);
  b.delivered = {
      {"topic:bars", sequence(1)}, {"shard:3", sequence(1)}, {"topic:none", sequence(9)}};
  b.timers_cleared = {{{"order", "2"}, "expiry"}, {{"order", "1"}, "other"}};
  b.timers_set = {{{"order", "1"}, "expiry", from_micros(5), R"({"t":2})"}};
  b.outbox = {{"topic:bars", sequence(3), "A", "{}"}};
  b.channels = {{shard_id(2), sequence(6)}};
  CHECK(t.node.store.commit(std::move(b)) == commit_outcome::committed);
  const auto image = t.node.store.image(t.shard);
  REQUIRE(image.outbox.size() == 2);
  CHECK(image.outbox[0].seq == sequence(2));
  CHECK(image.outbox[1].seq == sequence(3));
  REQUIRE(image.timers.size() == 1);
  CHECK(image.timers[0].due == from_micros(5));
  CHECK(image.timers[0].message == R"({"t":2})");
  CHECK(image.sequences.at("shard:3") == sequence(1));
  CHECK(image.channels.at(shard_id(2)) == sequence(6));
}

TEST_CASE("answers are remembered until they expire, then taken away by later ones") {
  one_node t;
  auto b = batch_of(t.shard, t.era);
  b.answers = {{"kept", R"({"a":1})", 1h}, {"old", "{}", -1h}};
  for (int i = 0; i < 150; ++i) b.answers.push_back({"old-" + std::to_string(i), "{}", -2h});
  REQUIRE(t.node.store.commit(std::move(b)) == commit_outcome::committed);
  CHECK(t.node.store.find_answer(t.shard, "kept") ==
        std::optional<std::optional<std::string>>{R"({"a":1})"});
  REQUIRE(t.node.store.find_answer(t.shard, "old").has_value());
  CHECK(!t.node.store.find_answer(t.shard, "old")->has_value());
  CHECK(!t.node.store.find_answer(shard_id(2), "kept")->has_value());
  for (int i = 0; i < 2; ++i) {
    auto next = batch_of(t.shard, t.era);
    next.answers = {{"old-0", R"({"again":1})", 1h}};
    CHECK(t.node.store.commit(std::move(next)) == commit_outcome::committed);
  }
  CHECK(t.run("select string_agg(request, ' ' order by request) from answer") == "kept old-0");
  // From the database's own now on, whatever a node's clock says.
  CHECK(t.run("select round(extract(epoch from expires - now()) / 600) from answer "
              "where request = 'kept'") == "6");
}

TEST_CASE("a zombie's commit after the takeover writes nothing in any table") {
  one_node t;
  joined_node other(t.cluster.db.dsn(), "n2", {&quotes});
  REQUIRE(other.store.take(t.shard).second == commit_outcome::fenced);
  t.run("update node set alive_until = now() - interval '1 second' where id = 'n1'");
  const auto new_era = other.store.take_epoch(t.shard);
  CHECK(new_era > t.era);
  CHECK(t.node.store.commit(full_batch(t.shard, t.era)) == commit_outcome::fenced);
  for (const auto* table : {"position", "entity", "outbox", "outbox_sequence", "timer", "answer",
                            "channel", "quarantine", "quotes"})
    CHECK_MESSAGE(t.run(std::string("select count(*) from ") + table) == "0", table);
  CHECK(other.store.commit(full_batch(t.shard, new_era)) == commit_outcome::committed);

  auto deletes = batch_of(t.shard, t.era);
  deletes.delivered = {{"topic:bars", sequence(9)}};
  deletes.timers_cleared = {{{"order", "1"}, "expiry"}};
  CHECK(t.node.store.commit(std::move(deletes)) == commit_outcome::fenced);
  CHECK(t.run("select (select count(*) from outbox) + (select count(*) from timer)") == "5");
}

TEST_CASE("what the database refuses is rejected whole, and the store goes on") {
  one_node t;
  struct row {
    const char* what;
    std::function<void(commit_batch&)> spoil;
  };
  const row rows[] = {
      {"state that is no JSON", [](commit_batch& b) { b.entities[0].state = "{"; }},
      {"a NUL in a key", [](commit_batch& b) { b.entities[0].id.key += '\0'; }},
      {"a broken constraint", [](commit_batch& b) { b.rows = {quote("A", -1)}; }},
      {"a sequence used before", [](commit_batch& b) { b.outbox[1].seq = sequence(1); }},
      {"a table that was not announced",
       [](commit_batch& b) {
         row_block rows_of_it(unlisted);
         rows_of_it.row().add(std::int64_t{1});
         b.rows.push_back(std::move(rows_of_it));
       }},
      {"a cell of another type",
       [](commit_batch& b) {
         row_block wrong(quotes);
         wrong.row().add("A").add("no number").add(from_micros(0)).add(0.0).add(std::int64_t{1});
         b.rows = {std::move(wrong)};
       }},
  };
  for (const auto& r : rows) {
    auto b = full_batch(t.shard, t.era);
    r.spoil(b);
    CHECK_MESSAGE(t.node.store.commit(std::move(b)) == commit_outcome::rejected, r.what);
    CHECK_MESSAGE(t.run("select count(*) from position") == "0", r.what);
  }
  CHECK(t.node.store.commit(full_batch(t.shard, t.era)) == commit_outcome::committed);
  CHECK(t.node.store->statistics().rejected == std::size(rows));
}

TEST_CASE("commits of a shard are carried out in the order in which they were made") {
  one_node t;
  std::vector<std::future<commit_outcome>> outcomes;
  for (int i = 1; i <= 300; ++i) {
    auto b = entity_batch(t.shard, t.era, "k", std::to_string(i));
    b.outbox = {{"topic:x", sequence(i), "", "{}"}};
    outcomes.push_back(t.node.store.commit_later(std::move(b)));
  }
  for (auto& o : outcomes) REQUIRE(o.get() == commit_outcome::committed);
  CHECK(t.run("select state from entity") == "300");
  CHECK(t.run("select string_agg(seq::text, ',' order by xmin::text::bigint) = "
              "string_agg(seq::text, ',' order by seq) from outbox") == "t");
}

TEST_CASE("a batch of many megabytes is one commit") {
  one_node t;
  auto b = batch_of(t.shard, t.era);
  const std::string state = '"' + std::string(10'000, 'x') + '"';
  for (int i = 0; i < 2'000; ++i) b.entities.push_back({{"thing", std::to_string(i)}, 1, state});
  CHECK(t.node.store.commit(std::move(b)) == commit_outcome::committed);
  CHECK(t.run("select sum(length(state::text)) from entity") == "20004000");
}

TEST_CASE("bad SQL of a result table shows at start-up, by name") {
  one_node t;
  const table_def misspelt{
      "misspelt", {column_type::integer}, "insert into quotes(nothing) select c1 from {rows}"};
  waiting_store good(t.cluster.db.dsn(), "n1", t.node.life, {&quotes});
  CHECK(good->verify().empty());
  waiting_store bad(t.cluster.db.dsn(), "n1", t.node.life, {&quotes, &misspelt, &unlisted});
  const auto violations = bad->verify();
  REQUIRE(violations.size() == 2);
  CHECK(violations[0].find("result table misspelt") == 0);
  CHECK(violations[0].find("nothing") != std::string::npos);
  CHECK(violations[1].find("result table unlisted") == 0);
  waiting_store unreachable("host=127.0.0.1 port=1 user=none", "n1", t.node.life, {});
  CHECK(unreachable->verify().size() == 1);
}

}  // namespace troupe::store
