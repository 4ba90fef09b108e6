#include "runtime/store/status_reader.hpp"

#include <nlohmann/json.hpp>

#include "tests/runtime/store/store_fixture.hpp"

namespace troupe::store {
namespace {

constexpr shard_id shard{1};

commit_batch busy_batch(epoch era) {
  auto b = entity_batch(shard, era, "k", "{}");
  b.positions = {{"market", position(42)}};
  b.outbox = {{"topic:x", sequence(1), "", "{}"}, {"topic:x", sequence(2), "", "{}"}};
  b.timers_set = {{{"thing", "k"}, "t", from_micros(1), "{}"}};
  b.quarantined = {{{"thing", "k"}, "market", 7, "K", std::string("\0x", 2), "threw"},
                   {{"thing", "k"}, "market", 9, "K", "y", "threw again"}};
  return b;
}

}  // namespace

TEST_CASE("operators see nodes, shards and positions") {
  const cluster_database c;
  joined_node n(c.db.dsn(), "n1");
  REQUIRE(n.store.commit(busy_batch(n.store.take_epoch(shard))) == commit_outcome::committed);
  status_reader reader(c.db.dsn());
  const auto nodes = reader.nodes();
  REQUIRE(nodes.size() == 1);
  CHECK(nodes[0].id == "n1");
  CHECK(nodes[0].life == n.life);
  CHECK(nodes[0].alive);
  CHECK(wall_now() - nodes[0].started_at < 1min);
  const auto shards = reader.shards();
  REQUIRE(shards.size() == 4);
  CHECK(shards[0].owner.empty());
  CHECK(!shards[0].owner_alive);
  CHECK(shards[1].owner == "n1");
  CHECK(shards[1].owner_alive);
  CHECK(shards[1].era == epoch(1));
  CHECK(shards[1].entities == 1);
  CHECK(shards[1].outbox == 2);
  CHECK(shards[1].timers == 1);
  CHECK(shards[1].quarantined == 2);
  const auto positions = reader.positions();
  REQUIRE(positions.size() == 1);
  CHECK(positions[0].next == position(42));
  CHECK(reader.count_rows("entity") == 1);
}

TEST_CASE("quarantined inputs are listed, and marked once") {
  const cluster_database c;
  joined_node n(c.db.dsn(), "n1");
  n.store.commit(busy_batch(n.store.take_epoch(shard)));
  status_reader reader(c.db.dsn());
  const auto held = reader.quarantine(quarantine_state::held, 10);
  REQUIRE(held.size() == 2);
  CHECK(held[0].place == 9);
  CHECK(held[1].input == std::string("\0x", 2));
  CHECK(held[1].reason == "threw");
  CHECK(held[1].entity == entity_id{"thing", "k"});
  CHECK(reader.held() == std::vector{held[1].id, held[0].id});
  REQUIRE(reader.quarantined(held[1].id));
  CHECK(reader.quarantined(held[1].id)->input == std::string("\0x", 2));
  CHECK(!reader.quarantined(999));
  CHECK(reader.mark_quarantine(held[0].id, quarantine_state::retried));
  CHECK(reader.held() == std::vector{held[1].id});
  CHECK(reader.quarantined(held[0].id)->state == quarantine_state::retried);
  CHECK(!reader.mark_quarantine(held[0].id, quarantine_state::purged));
  CHECK(!reader.mark_quarantine(999, quarantine_state::purged));
  CHECK(reader.quarantine(quarantine_state::held, 10).size() == 1);
  CHECK(reader.quarantine(quarantine_state::retried, 10).size() == 1);
  CHECK(reader.quarantine({}, 1).size() == 1);
  CHECK(reader.shards()[1].quarantined == 1);
}

TEST_CASE("rows as JSON: decimals are exact texts, everything else is what it is") {
  const cluster_database c;
  status_reader reader(c.db.dsn());
  const auto rows = nlohmann::json::parse(reader.read_json(
      "select 92233720368.54775807 as money, -0.1000::numeric as short, 5.00::numeric as whole, "
      "null::numeric as missing, 7::int8 as count, 0.5::float8 as share, 'x' as \"order\", "
      "array['a'] as list, timestamptz '2025-01-02 00:00+00' as time order by 1"));
  CHECK(rows == nlohmann::json::parse(R"([{"money": "92233720368.54775807", "short": "-0.1",
      "whole": "5", "missing": null, "count": 7, "share": 0.5, "order": "x", "list": ["a"],
      "time": "2025-01-02T00:00:00+00:00"}])"));
  CHECK(reader.read_json("select 1.5 as money where false") == "[]");
}

TEST_CASE("a database that is none of ours, or out of reach, is said") {
  const test::test_database empty;
  status_reader reader(empty.dsn());
  CHECK_THROWS_AS(reader.shards(), refused);
  status_reader unreachable("host=127.0.0.1 port=1 user=none");
  CHECK_THROWS_AS(unreachable.shards(), unavailable_error);
}

}  // namespace troupe::store
