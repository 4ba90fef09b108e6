#pragma once

#include <doctest/doctest.h>

#include <future>
#include <thread>

#include "runtime/store/migration.hpp"
#include "runtime/store/node_store.hpp"
#include "runtime/store/postgres_store.hpp"
#include "tests/support/test_database.hpp"

namespace troupe::store {

using namespace std::chrono_literals;

/// Looks again and again until it holds; fails the test after half a minute.
template <class Condition>
void wait_until(Condition holds) {
  const auto deadline = std::chrono::steady_clock::now() + 30s;
  bool reached = false;
  while (!(reached = holds()) && std::chrono::steady_clock::now() < deadline)
    std::this_thread::yield();
  REQUIRE(reached);
}

/// A cluster's database: migrated, with `shards` shards.
struct cluster_database {
  explicit cluster_database(std::uint32_t shards = 4) {
    migrate(db.dsn(), runtime_migrations());
    claim_cluster(db.dsn(), {"test", shards});
  }
  test::test_database db;
};

/// One node's store, with calls that wait for their answer.
class waiting_store {
 public:
  waiting_store(const std::string& dsn, const std::string& node, incarnation life,
                std::vector<const table_def*> tables = {}, std::uint32_t threads = 2)
      : life_(life), store_(options(dsn, node, life, threads), std::move(tables)) {}

  std::pair<std::optional<taken_shard>, commit_outcome> take(shard_id shard) {
    return wait<std::pair<std::optional<taken_shard>, commit_outcome>>([&](auto done) {
      store_.take(shard, life_, [done](auto taken, auto outcome) {
        done({std::move(taken), outcome});
      });
    });
  }
  epoch take_epoch(shard_id shard) {
    const auto [taken, outcome] = take(shard);
    REQUIRE(taken.has_value());
    return taken->era;
  }
  shard_image image(shard_id shard) {
    auto [taken, outcome] = take(shard);
    REQUIRE(taken.has_value());
    return taken->image;
  }
  commit_outcome commit(commit_batch batch) {
    return wait<commit_outcome>([&](auto done) { store_.commit(std::move(batch), done); });
  }
  std::future<commit_outcome> commit_later(commit_batch batch) {
    auto promise = std::make_shared<std::promise<commit_outcome>>();
    store_.commit(std::move(batch), [promise](commit_outcome o) { promise->set_value(o); });
    return promise->get_future();
  }
  void release(shard_id shard, epoch era) {
    wait<bool>([&](auto done) { store_.release(shard, era, [done] { done(true); }); });
  }
  std::optional<std::vector<entity_row>> load(shard_id shard, std::vector<entity_id> ids) {
    return wait<std::optional<std::vector<entity_row>>>(
        [&](auto done) { store_.load(shard, std::move(ids), done); });
  }
  std::optional<std::optional<std::string>> find_answer(shard_id shard,
                                                        const std::string& request) {
    return wait<std::optional<std::optional<std::string>>>(
        [&](auto done) { store_.find_answer(shard, request, done); });
  }
  postgres_store& operator*() { return store_; }
  postgres_store* operator->() { return &store_; }

 private:
  static postgres_store_options options(const std::string& dsn, const std::string& node,
                                        incarnation life, std::uint32_t threads) {
    postgres_store_options o;
    o.dsn = dsn;
    o.node = node;
    o.life = life;
    o.threads = threads;
    return o;
  }
  template <class T, class Call>
  static T wait(Call call) {
    auto promise = std::make_shared<std::promise<T>>();
    auto future = promise->get_future();
    call([promise](T v) { promise->set_value(std::move(v)); });
    REQUIRE(future.wait_for(30s) == std::future_status::ready);
    return future.get();
  }

  incarnation life_;
  postgres_store store_;
};

/// A node that has joined with a lease of a minute.
struct joined_node {
  joined_node(const std::string& dsn, const std::string& node,
              std::vector<const table_def*> tables = {})
      : nodes({dsn}),
        life(nodes.join(node, "127.0.0.1:0", "test", 60s)),
        store(dsn, node, life, std::move(tables)) {}
  node_store nodes;
  incarnation life;
  waiting_store store;
};

inline commit_batch batch_of(shard_id shard, epoch era) {
  commit_batch b;
  b.shard = shard;
  b.era = era;
  return b;
}

/// A batch that writes one entity.
inline commit_batch entity_batch(shard_id shard, epoch era, const std::string& key,
                                 const std::string& state) {
  auto b = batch_of(shard, era);
  b.entities.push_back({{"thing", key}, 1, state});
  return b;
}

}  // namespace troupe::store
