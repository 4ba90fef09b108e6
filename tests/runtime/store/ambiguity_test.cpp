#include <pqxx/pqxx>

#include "tests/runtime/store/store_fixture.hpp"
#include "tests/support/tcp_proxy.hpp"

namespace troupe::store {
namespace {

constexpr shard_id shard{1};

struct behind_proxy {
  behind_proxy() { REQUIRE(commit("0") == commit_outcome::committed); }  // Prepares the statement.

  commit_outcome commit(const std::string& state) {
    return store.commit(entity_batch(shard, era, "k", state));
  }
  std::string stored() { return cluster.db.run("select state from entity"); }

  cluster_database cluster;
  test::tcp_proxy proxy{cluster.db.port()};
  node_store nodes{{cluster.db.dsn()}};
  incarnation life = nodes.join("n1", "a:1", "v", 60s);
  waiting_store store{cluster.db.dsn_by_port(proxy.port()), "n1", life};
  epoch era = store.take_epoch(shard);
};

}  // namespace

TEST_CASE(
    "a connection lost after the commit was sent is an unknown outcome, whatever became of it") {
  behind_proxy t;
  SUBCASE("it was committed") {
    t.proxy.cut_after_request("commit_");
    CHECK(t.commit("1") == commit_outcome::outcome_unknown);
    CHECK(t.stored() == "1");
  }
  SUBCASE("it never arrived") {
    t.proxy.cut_before_request("commit_");
    CHECK(t.commit("1") == commit_outcome::outcome_unknown);
    CHECK(t.stored() == "0");
  }
  // Taking the shard again settles it: the old epoch can no longer write, and what is read is the
  // truth.
  const auto truth = t.stored();
  const auto era = t.store.take_epoch(shard);
  CHECK(t.commit("2") == commit_outcome::fenced);
  CHECK(t.store.load(shard, {{"thing", "k"}})->front().state == truth);
  CHECK(t.store.commit(entity_batch(shard, era, "k", "3")) == commit_outcome::committed);
}

TEST_CASE("without a connection nothing is sent: unavailable, until it is back") {
  behind_proxy t;
  t.proxy.refuse(true);
  t.proxy.cut();
  CHECK(t.commit("1") == commit_outcome::unavailable);
  CHECK(!t.store.load(shard, {{"thing", "k"}}));
  CHECK(!t.store.find_answer(shard, "r"));
  CHECK(t.store.take(shard).second == commit_outcome::unavailable);
  CHECK(t.stored() == "0");
  t.proxy.refuse(false);
  CHECK(t.commit("2") == commit_outcome::committed);
  CHECK(t.stored() == "2");
  CHECK(t.store->statistics().unavailable == 1);
}

TEST_CASE("a question whose answer is lost on the way is not known, and not taken for a no") {
  behind_proxy t;
  commit_batch batch = entity_batch(shard, t.era, "k", "1");
  batch.answers.push_back({"r", "1", 60s});
  REQUIRE(t.store.commit(std::move(batch)) == commit_outcome::committed);
  for (const std::string request : {"r", "another"}) {
    CAPTURE(request);
    const auto answer = t.store.find_answer(shard, request);  // Prepares the statement, too.
    REQUIRE(answer.has_value());
    t.proxy.cut_before_request("answer");
    CHECK(!t.store.find_answer(shard, request).has_value());
    CHECK(t.store.find_answer(shard, request) == answer);
    t.proxy.cut_after_request("answer");
    CHECK(!t.store.find_answer(shard, request).has_value());
    CHECK(t.store.find_answer(shard, request) == answer);
  }
  REQUIRE(t.store.load(shard, {{"thing", "k"}}).has_value());
  t.proxy.cut_after_request("entities");
  CHECK(!t.store.load(shard, {{"thing", "k"}}).has_value());
  t.proxy.cut_after_request("take");
  CHECK(t.store.take(shard).second == commit_outcome::unavailable);
}

TEST_CASE("a connection that died at rest is noticed before anything is sent") {
  behind_proxy t;
  t.cluster.db.run(
      "select count(pg_terminate_backend(pid)) from pg_stat_activity "
      "where application_name like 'troupe:n1:%' and datname = current_database()");
  wait_until([&] {
    return t.cluster.db.run(
               "select count(*) from pg_stat_activity where application_name like 'troupe:n1:%' "
               "and datname = current_database()") == "0";
  });
  CHECK(t.commit("1") == commit_outcome::committed);
}

TEST_CASE("a store ends although the database hangs, and every call is answered once") {
  auto t = std::make_unique<behind_proxy>();
  t->proxy.hold(true);
  std::vector<std::future<commit_outcome>> outcomes;
  {
    waiting_store hanging(t->cluster.db.dsn_by_port(t->proxy.port()), "n1", t->life);
    t->proxy.hold(false);
    const auto era = hanging.take_epoch(shard);
    REQUIRE(hanging.commit(entity_batch(shard, era, "k", "1")) == commit_outcome::committed);
    t->proxy.hold(true);
    for (int i = 0; i < 3; ++i)
      outcomes.push_back(hanging.commit_later(entity_batch(shard, era, "k", "2")));
    wait_until([&] { return hanging->statistics().queued == 2; });
  }
  CHECK(outcomes[0].get() == commit_outcome::outcome_unknown);
  CHECK(outcomes[1].get() == commit_outcome::unavailable);
  CHECK(outcomes[2].get() == commit_outcome::unavailable);
  t->proxy.hold(false);
}

TEST_CASE("a statement that takes too long is given up by the server, with nothing written") {
  const cluster_database c;
  node_store nodes({c.db.dsn()});
  postgres_store_options o;
  o.dsn = c.db.dsn();
  o.life = nodes.join("n1", "a:1", "v", 60s);
  o.statement_timeout = 200ms;
  postgres_store store(o, {});
  std::promise<epoch> taken;
  store.take(shard, o.life, [&](auto t, auto) { taken.set_value(t->era); });
  const auto era = taken.get_future().get();

  pqxx::connection blocker(c.db.dsn());
  pqxx::work lock(blocker);
  lock.exec("select 1 from shard where id = 1 for update");
  std::promise<commit_outcome> outcome;
  store.commit(entity_batch(shard, era, "k", "1"), [&](auto r) { outcome.set_value(r); });
  CHECK(outcome.get_future().get() == commit_outcome::unavailable);
  lock.abort();
  CHECK(c.db.run("select count(*) from entity") == "0");
}

}  // namespace troupe::store
