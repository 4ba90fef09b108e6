#include <pqxx/pqxx>

#include "tests/runtime/store/store_fixture.hpp"

namespace troupe::store {
namespace {

constexpr shard_id shard{1};
const table_def ledger{
    "ledger", {column_type::integer}, "insert into ledger select c1 from {rows}"};

void expire(const cluster_database& c, const std::string& node) {
  c.db.run("update node set alive_until = now() - interval '1 second' where id = '" + node + "'");
}

// Waits until a statement that starts with `text` waits for a lock.
void wait_for_lock_wait(const cluster_database& c, const std::string& text) {
  const auto sql =
      "select count(*) from pg_stat_activity where wait_event_type = 'Lock' "
      "and datname = current_database() and ltrim(query, E'\\n') like '" +
      text + "%'";
  wait_until([&] { return c.db.run(sql) != "0"; });
}

}  // namespace

TEST_CASE(
    "a takeover waits for the commit that is under way, then sees it, and later ones are fenced") {
  const cluster_database c;
  c.db.run("create table ledger(x int8 primary key)");
  joined_node old_owner(c.db.dsn(), "n1", {&ledger}), new_owner(c.db.dsn(), "n2");
  const auto era = old_owner.store.take_epoch(shard);

  // The old owner's commit stops half-way: its row waits for ours with the same key.
  pqxx::connection blocker(c.db.dsn());
  pqxx::work row_of_ours(blocker);
  row_of_ours.exec("insert into ledger values (7)");
  auto batch = entity_batch(shard, era, "k", R"("late")");
  batch.rows.emplace_back(ledger).row().add(std::int64_t{7});
  auto committing = old_owner.store.commit_later(std::move(batch));
  wait_for_lock_wait(c, "with fence");

  expire(c, "n1");
  auto taking = std::async(std::launch::async, [&] { return new_owner.store.take(shard); });
  wait_for_lock_wait(c, "update shard");
  row_of_ours.abort();

  CHECK(committing.get() == commit_outcome::committed);
  const auto [taken, outcome] = taking.get();
  REQUIRE(taken);
  CHECK(taken->era > era);
  CHECK(new_owner.store.load(shard, {{"thing", "k"}})->size() == 1);
  CHECK(old_owner.store.commit(entity_batch(shard, era, "k", "{}")) == commit_outcome::fenced);
}

TEST_CASE("the weaker fences let a paused owner write after the takeover, ours does not") {
  struct row {
    const char* lock;
    bool holds;
  };
  for (const auto& r : {row{"", false}, row{" for key share", false}, row{" for share", true}}) {
    const cluster_database c;
    joined_node old_owner(c.db.dsn(), "n1"), new_owner(c.db.dsn(), "n2");
    const auto era = old_owner.store.take_epoch(shard);
    pqxx::connection paused(c.db.dsn());
    pqxx::work transaction(paused);
    const auto fence =
        "select 1 from shard where id = 1 and epoch = " + std::to_string(era.value()) + r.lock;
    REQUIRE(transaction.exec(fence).size() == 1);
    expire(c, "n1");
    auto taking = std::async(std::launch::async, [&] { return new_owner.store.take(shard); });
    if (r.holds)
      wait_for_lock_wait(c, "update shard");
    else
      CHECK(taking.get().first.has_value());
    transaction.exec("insert into entity values (1, 'thing', 'zombie', 1, '{}')");
    transaction.commit();
    if (r.holds) CHECK(taking.get().first.has_value());
    // Either way the row is there: but only with the lock does the new owner read after it was
    // written.
  }
}

TEST_CASE("who may take a shard") {
  const cluster_database c;
  joined_node a(c.db.dsn(), "a"), b(c.db.dsn(), "b");
  const auto first = a.store.take_epoch(shard);
  CHECK(first == epoch(1));

  SUBCASE("its owner again, with a new epoch") {
    CHECK(a.store.take_epoch(shard) == epoch(2));
  }
  SUBCASE("nobody else while the owner lives") {
    CHECK(b.store.take(shard).second == commit_outcome::fenced);
    CHECK(a.store.commit(entity_batch(shard, first, "k", "{}")) == commit_outcome::committed);
  }
  SUBCASE("another when the lease has run out") {
    expire(c, "a");
    CHECK(b.store.take_epoch(shard) == epoch(2));
  }
  SUBCASE("another when the owner is declared dead") {
    CHECK(b.nodes.declare_dead(a.life));
    CHECK(b.store.take_epoch(shard) == epoch(2));
    CHECK(a.store.take(shard).second == commit_outcome::fenced);
  }
  SUBCASE("another when the owner has left") {
    CHECK(a.nodes.leave(a.life));
    CHECK(b.store.take_epoch(shard) == epoch(2));
  }
  SUBCASE("another when it was released, which fences the old epoch at once") {
    a.store.release(shard, first);
    CHECK(a.store.commit(entity_batch(shard, first, "k", "{}")) == commit_outcome::fenced);
    CHECK(b.store.take(shard).first.has_value());
  }
  SUBCASE("a release with an old epoch changes nothing") {
    const auto second = a.store.take_epoch(shard);
    a.store.release(shard, first);
    CHECK(a.store.commit(entity_batch(shard, second, "k", "{}")) == commit_outcome::committed);
  }
  SUBCASE("the next incarnation of the same node, at once") {
    joined_node again(c.db.dsn(), "a");
    CHECK(again.life > a.life);
    CHECK(again.store.take_epoch(shard) == epoch(2));
    CHECK(a.store.take(shard).second == commit_outcome::fenced);
    CHECK(a.store.commit(entity_batch(shard, first, "k", "{}")) == commit_outcome::fenced);
  }
  SUBCASE("nobody whose own lease has run out") {
    expire(c, "a");
    expire(c, "b");
    CHECK(b.store.take(shard).second == commit_outcome::fenced);
  }
  SUBCASE("only the node that is to have it, and whoever has it, to give it back") {
    c.db.run("update shard set assigned = 'b'");
    CHECK(b.store.take(shard).second == commit_outcome::fenced);
    const auto second = a.store.take_epoch(shard);
    a.store.release(shard, second);
    CHECK(a.store.take(shard).second == commit_outcome::fenced);
    CHECK(b.store.take(shard).first.has_value());
  }
  SUBCASE("nobody, if there is no such shard") {
    CHECK(a.store.take(shard_id(99)).second == commit_outcome::fenced);
  }
}

TEST_CASE("shards that are taken together get each its own epoch and image") {
  const cluster_database c;
  joined_node a(c.db.dsn(), "a"), b(c.db.dsn(), "b");
  for (std::uint32_t s = 0; s < 3; ++s) {
    const shard_id written(s);
    auto batch = batch_of(written, a.store.take_epoch(written));
    batch.positions["log"] = position(10 + s);
    batch.channels[shard_id(9)] = sequence(20 + s);
    batch.timers_set.push_back({{"thing", "k"}, "t", from_micros(s), "{}"});
    batch.entities.push_back({{"thing", std::to_string(s)}, 1, "{}", true});
    for (std::int64_t seq = 1; seq <= s + 1; ++seq)
      batch.outbox.push_back({"topic:x", sequence(seq), "k", std::to_string(s)});
    REQUIRE(a.store.commit(batch) == commit_outcome::committed);
  }
  b.store.take_epoch(shard_id(3));
  using answer = std::pair<std::optional<taken_shard>, commit_outcome>;
  std::map<std::uint32_t, std::promise<answer>> answers;
  const auto take = [&](std::uint32_t s) {
    a.store->take(shard_id(s), a.life, [&to = answers[s]](auto taken, auto outcome) {
      to.set_value({std::move(taken), outcome});
    });
  };
  // The first one waits for a lock, and the others come together behind it.
  pqxx::connection blocker(c.db.dsn());
  pqxx::work lock(blocker);
  lock.exec("select 1 from shard where id = 0 for share");
  take(0);
  wait_for_lock_wait(c, "update shard");
  for (std::uint32_t s = 1; s <= 4; ++s) take(s);
  lock.abort();

  for (std::uint32_t s = 0; s < 3; ++s) {
    const auto [taken, outcome] = answers[s].get_future().get();
    REQUIRE(taken);
    CHECK(taken->era == epoch(2));
    CHECK(taken->image.positions.at("log") == position(10 + s));
    CHECK(taken->image.sequences.at("topic:x") == sequence(s + 1));
    CHECK(taken->image.channels.at(shard_id(9)) == sequence(20 + s));
    REQUIRE(taken->image.timers.size() == 1);
    CHECK(taken->image.timers[0].due == from_micros(s));
    CHECK(taken->image.following == std::vector<entity_id>{{"thing", std::to_string(s)}});
    REQUIRE(taken->image.outbox.size() == s + 1);
    for (std::uint32_t i = 0; i <= s; ++i) {
      CHECK(taken->image.outbox[i].seq == sequence(i + 1));
      CHECK(taken->image.outbox[i].payload == std::to_string(s));
    }
  }
  CHECK(answers[3].get_future().get().second == commit_outcome::fenced);
  CHECK(answers[4].get_future().get().second == commit_outcome::fenced);
  CHECK(c.db.run("select string_agg(epoch::text, ' ' order by id) from shard") == "2 2 2 1");
}

TEST_CASE("of many nodes that race for a dead one's shard exactly one gets it") {
  const cluster_database c;
  joined_node dead(c.db.dsn(), "dead");
  dead.store.take_epoch(shard);
  std::vector<std::unique_ptr<joined_node>> racers;
  for (int i = 0; i < 6; ++i)
    racers.push_back(std::make_unique<joined_node>(c.db.dsn(), "n" + std::to_string(i)));
  racers.front()->nodes.declare_dead(dead.life);
  std::vector<std::future<bool>> wins;
  for (auto& r : racers)
    wins.push_back(
        std::async(std::launch::async, [&] { return r->store.take(shard).first.has_value(); }));
  int winners = 0;
  for (auto& w : wins) winners += w.get() ? 1 : 0;
  CHECK(winners == 1);
  CHECK(c.db.run("select epoch from shard where id = 1") == "2");
}

TEST_CASE("membership: renewing, being superseded, declared dead, leaving") {
  const cluster_database c;
  node_store nodes({c.db.dsn()});
  const auto first = nodes.join("n1", "a:1", "v", 10s);
  CHECK(nodes.renew(first, 10s) == renewal::renewed);
  CHECK(c.db.run("select alive_until between now() + interval '9 s' and now() + interval '10 s' "
                 "from node") == "t");
  const auto second = nodes.join("n1", "a:2", "v", 10s);
  CHECK(second > first);
  CHECK(nodes.renew(first, 10s) == renewal::superseded);
  CHECK(nodes.renew(second, 10s) == renewal::renewed);

  expire(c, "n1");
  CHECK(nodes.renew(second, 10s) == renewal::renewed);
  CHECK(nodes.declare_dead(second));
  CHECK(nodes.renew(second, 10s) == renewal::dead);
  const auto third = nodes.join("n1", "a:3", "v", 10s);
  CHECK(nodes.leave(third));
  CHECK(nodes.renew(third, 10s) == renewal::dead);

  node_store unreachable({"host=127.0.0.1 port=1 user=none"});
  CHECK(unreachable.renew(third, 10s) == renewal::unavailable);
  CHECK_THROWS_AS(unreachable.join("n1", "a:1", "v", 10s), unavailable_error);
}

TEST_CASE("a superseded incarnation's statements are ended, not waited for") {
  const cluster_database c;
  c.db.run("create table ledger(x int8 primary key)");
  joined_node old_life(c.db.dsn(), "n1", {&ledger});
  const auto era = old_life.store.take_epoch(shard);
  pqxx::connection blocker(c.db.dsn());
  pqxx::work row_of_ours(blocker);
  row_of_ours.exec("insert into ledger values (7)");
  auto batch = batch_of(shard, era);
  batch.rows.emplace_back(ledger).row().add(std::int64_t{7});
  auto committing = old_life.store.commit_later(std::move(batch));
  wait_for_lock_wait(c, "with fence");

  joined_node new_life(c.db.dsn(), "n1");
  CHECK(new_life.store.take(shard).first.has_value());
  CHECK(committing.get() == commit_outcome::outcome_unknown);
}

}  // namespace troupe::store
