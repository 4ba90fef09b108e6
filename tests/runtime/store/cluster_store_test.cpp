#include "runtime/store/cluster_store.hpp"

#include <pqxx/pqxx>
#include <thread>

#include "tests/runtime/store/store_fixture.hpp"

namespace troupe::store {

namespace {

using outcome = cluster_store::led::outcome;
constexpr auto ttl = 10s;

struct member {
  member(const cluster_database& c, const std::string& id)
      : nodes({c.db.dsn()}), tables({c.db.dsn()}), life(nodes.join(id, id + ":1", "v", ttl)) {}
  node_store nodes;
  cluster_store tables;
  incarnation life;
};

}  // namespace

TEST_CASE("one leads, until its lease has run out or it is dead") {
  const cluster_database c;
  member a(c, "a"), b(c, "b");
  CHECK(a.tables.read()->leader == incarnation(0));
  const auto first = a.tables.lead(a.life, ttl, {});
  CHECK(first.what == outcome::done);
  CHECK(b.tables.lead(b.life, ttl, {}).what == outcome::refused);
  CHECK(b.tables.read()->leader == a.life);
  CHECK(a.tables.lead(a.life, ttl, {}).version == first.version + 1);

  SUBCASE("its lease has run out") {
    c.db.run("update leader set until = now() - interval '1 second'");
    CHECK(b.tables.lead(b.life, ttl, {}).what == outcome::done);
  }
  SUBCASE("its successor declares it dead in the same transaction, with new assignments") {
    CHECK(b.tables.lead(b.life, ttl, {{a.life}, {{shard_id(0), "b"}, {shard_id(2), "b"}}}).what ==
          outcome::done);
    const auto view = *b.tables.read();
    CHECK(view.leader == b.life);
    CHECK_FALSE(view.nodes[0].live);
    CHECK(view.nodes[1].live);
    CHECK(view.shards[0].assigned == "b");
    CHECK(view.shards[1].assigned == "");
    CHECK(view.shards[2].assigned == "b");
    CHECK(a.nodes.renew(a.life, ttl) == renewal::dead);
    CHECK(a.tables.lead(a.life, ttl, {}).what == outcome::refused);
  }
  SUBCASE("it has left") {
    CHECK(a.nodes.leave(a.life));
    CHECK(b.tables.lead(b.life, ttl, {}).what == outcome::done);
  }
  SUBCASE("a refused leader writes nothing") {
    CHECK(b.tables.lead(b.life, ttl, {{}, {{shard_id(1), "b"}}}).what == outcome::refused);
    CHECK(b.tables.read()->shards[1].assigned == "");
  }
}

TEST_CASE("of two that declare each other dead at the same moment one lives") {
  const cluster_database c;
  member a(c, "a"), b(c, "b");
  REQUIRE(a.tables.lead(a.life, ttl, {}).what == outcome::done);
  pqxx::connection holder(c.db.dsn());
  pqxx::work hold(holder);
  hold.exec("select 1 from leader for update");
  cluster_store::led by_a, by_b;
  std::thread first([&] { by_a = a.tables.lead(a.life, ttl, {{b.life}, {{shard_id(0), "a"}}}); });
  std::thread second([&] { by_b = b.tables.lead(b.life, ttl, {{a.life}, {{shard_id(0), "b"}}}); });
  wait_until([&] {
    return c.db.run(
               "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and "
               "datname = current_database() and application_name = 'troupe:cluster'") == "2";
  });
  hold.commit();
  first.join();
  second.join();
  CHECK((by_a.what == outcome::done) != (by_b.what == outcome::done));
  const auto view = *a.tables.read();
  const auto& winner = by_a.what == outcome::done ? "a" : "b";
  for (const auto& n : view.nodes) CHECK(n.live == (n.id == winner));
  CHECK(view.shards[0].assigned == winner);
  // The lead may still bear the dead one's name: that keeps nobody from it.
  auto& left = by_a.what == outcome::done ? a : b;
  CHECK(left.tables.lead(left.life, ttl, {}).what == outcome::done);
}

TEST_CASE("a dead incarnation's connections are ended") {
  const cluster_database c;
  member a(c, "a"), b(c, "b");
  waiting_store of_a(c.db.dsn(), "a", a.life);
  of_a.take_epoch(shard_id(0));
  const auto open = "select count(*) from pg_stat_activity where application_name = 'troupe:a:" +
                    std::to_string(a.life.value()) + "'";
  CHECK(c.db.run(open) != "0");
  CHECK(b.tables.lead(b.life, ttl, {{a.life}, {}}).what == outcome::done);
  wait_until([&] { return c.db.run(open) == "0"; });
}

TEST_CASE("orders of operators: draining, and a shard's place") {
  const cluster_database c;
  member a(c, "a");
  using enum cluster_store::written;
  CHECK(a.tables.set_draining("a", true) == done);
  CHECK(a.tables.read()->nodes[0].draining);
  CHECK(a.tables.set_draining("a", false) == done);
  CHECK_FALSE(a.tables.read()->nodes[0].draining);
  CHECK(a.tables.set_draining("nobody", true) == nothing_there);
  // Nobody leads who could follow it.
  CHECK(a.tables.assign(shard_id(1), "a") == nothing_there);
  const auto led = a.tables.lead(a.life, ttl, {});
  CHECK(a.tables.assign(shard_id(1), "a") == done);
  CHECK(a.tables.read()->shards[1].assigned == "a");
  CHECK(a.tables.read()->version == led.version + 1);
}

TEST_CASE("a node that left is told from one that is dead, and either can be forgotten, no other") {
  const cluster_database c;
  member a(c, "a"), b(c, "b"), d(c, "d");
  CHECK(b.nodes.leave(b.life));
  CHECK(a.tables.lead(a.life, ttl, {{d.life}, {}}).what == outcome::done);
  const auto nodes = a.tables.read()->nodes;
  REQUIRE(nodes.size() == 3);
  CHECK_FALSE(nodes[0].left);
  CHECK(nodes[1].left);
  CHECK_FALSE(nodes[2].left);
  using enum cluster_store::written;
  CHECK(a.tables.forget("a") == refused);
  CHECK(a.tables.forget("b") == done);
  CHECK(a.tables.forget("d") == done);
  CHECK(a.tables.forget("d") == nothing_there);
  CHECK(a.tables.read()->nodes.size() == 1);
}

TEST_CASE("a database that does not answer is no answer") {
  cluster_store nowhere({"host=127.0.0.1 port=1 user=x dbname=x"});
  CHECK_FALSE(nowhere.read().has_value());
  CHECK(nowhere.lead(incarnation(1), ttl, {}).what == outcome::unavailable);
  using enum cluster_store::written;
  CHECK(nowhere.set_draining("a", true) == unavailable);
  CHECK(nowhere.assign(shard_id(1), "a") == unavailable);
  CHECK(nowhere.forget("a") == unavailable);
}

}  // namespace troupe::store
