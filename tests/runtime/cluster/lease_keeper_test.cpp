#include "runtime/cluster/lease_keeper.hpp"

#include <doctest/doctest.h>

#include <atomic>

#include "runtime/store/migration.hpp"
#include "tests/support/tcp_proxy.hpp"
#include "tests/support/test_database.hpp"

namespace troupe::cluster {
namespace {

using namespace std::chrono_literals;

const lease_options quick{
    .ttl = 1'500ms, .margin = 500ms, .renew_every = 100ms, .retry_after = 50ms};

struct watched_node {
  watched_node() { store::migrate(db.dsn(), store::runtime_migrations()); }

  // Waits for an event; false after ten seconds.
  template <class Condition>
  static bool eventually(Condition holds) {
    const auto deadline = std::chrono::steady_clock::now() + 10s;
    while (!holds())
      if (std::chrono::steady_clock::now() > deadline) return false;
    return true;
  }
  bool alive_for_others() {
    return db.run("select alive_until > now() from node where id = 'n1'") == "t";
  }

  test::test_database db;
  test::tcp_proxy proxy{db.port()};
  store::node_store nodes{{db.dsn_by_port(proxy.port())}};
  std::atomic<int> lost = 0, ended = 0, regained = 0;
  std::atomic<bool> alive_when_lost = false;
  steady_time joined_at = std::chrono::steady_clock::now();
  incarnation life;

  lease_keeper keep() {
    joined_at = std::chrono::steady_clock::now();
    life = nodes.join("n1", "a:1", "v", quick.ttl);
    return {nodes,
            life,
            joined_at,
            quick,
            {[this](bool for_ever) {
               alive_when_lost = alive_for_others();
               ++lost;
               if (for_ever) ++ended;
             },
             [this] { ++regained; }}};
  }
};

}  // namespace

TEST_CASE("a keeper holds the lease far beyond its ttl") {
  watched_node n;
  auto keeper = n.keep();
  const auto first = n.db.run("select alive_until from node");
  CHECK(watched_node::eventually(
      [&] { return std::chrono::steady_clock::now() > n.joined_at + 2 * quick.ttl; }));
  CHECK(keeper.valid());
  CHECK(n.alive_for_others());
  CHECK(n.db.run("select alive_until > '" + first +
                 "'::timestamptz + interval '1 second' from node") == "t");
  CHECK(n.lost == 0);
}

TEST_CASE(
    "when the database falls silent the holder stops before the lease ends, and regains it later") {
  watched_node n;
  auto keeper = n.keep();
  n.proxy.hold(true);
  CHECK(watched_node::eventually([&] { return n.lost == 1; }));
  CHECK(n.alive_when_lost);
  CHECK(!keeper.valid());
  CHECK(n.ended == 0);
  n.proxy.hold(false);
  CHECK(watched_node::eventually([&] { return n.regained == 1; }));
  CHECK(keeper.valid());
  CHECK(n.lost == 1);
}

TEST_CASE("how long the database has been away is known, whether it hangs or refuses") {
  watched_node n;
  auto keeper = n.keep();
  const auto ages = [&] {
    const auto since = keeper.away_since();
    return since ? std::chrono::steady_clock::now() - *since : steady_time::duration(0);
  };
  const auto before = std::chrono::steady_clock::now();
  SUBCASE("hangs") {
    n.proxy.hold(true);
  }
  SUBCASE("refuses") {
    n.proxy.refuse(true);
    n.proxy.cut();
  }
  CHECK(watched_node::eventually([&] { return ages() > 3s; }));
  CHECK(*keeper.away_since() >= before);  // Counted through renewals that were given up.
  CHECK(*keeper.away_since() - before < 1s);
  n.proxy.hold(false);
  n.proxy.refuse(false);
  CHECK(watched_node::eventually([&] { return !keeper.away_since(); }));
}

TEST_CASE("a short cut of the connection costs nothing") {
  watched_node n;
  auto keeper = n.keep();
  for (int i = 0; i < 5; ++i) {
    const auto before = n.db.run("select alive_until from node");
    n.proxy.cut();
    CHECK(watched_node::eventually(
        [&] { return n.db.run("select alive_until from node") != before; }));
  }
  CHECK(n.lost == 0);
  CHECK(keeper.valid());
}

TEST_CASE("superseded or declared dead, the lease is lost for ever") {
  watched_node n;
  auto keeper = n.keep();
  store::node_store other({n.db.dsn()});
  SUBCASE("superseded") {
    other.join("n1", "a:2", "v", 60s);
  }
  SUBCASE("declared dead") {
    CHECK(other.declare_dead(n.life));
  }
  CHECK(watched_node::eventually([&] { return n.ended == 1; }));
  CHECK(!keeper.valid());
  CHECK(n.regained == 0);
}

TEST_CASE("a lease that was lost for a while may turn out to be lost for ever") {
  watched_node n;
  auto keeper = n.keep();
  n.proxy.hold(true);
  CHECK(watched_node::eventually([&] { return n.lost == 1; }));
  CHECK(n.ended == 0);
  CHECK(store::node_store({n.db.dsn()}).declare_dead(n.life));
  n.proxy.hold(false);
  CHECK(watched_node::eventually([&] { return n.ended == 1; }));
  CHECK(n.lost == 2);
  CHECK(n.regained == 0);
}

TEST_CASE("a keeper ends although the database is silent") {
  watched_node n;
  {
    auto keeper = n.keep();
    n.proxy.hold(true);
    CHECK(watched_node::eventually([&] { return n.lost == 1; }));
  }
  CHECK(n.ended == 0);
}

}  // namespace troupe::cluster
