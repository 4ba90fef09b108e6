#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "runtime/store/cluster_store.hpp"
#include "runtime/store/node_store.hpp"
#include "tests/simulation/invariants.hpp"
#include "tests/simulation/planted.hpp"

namespace troupe::simulation {

/// The one database of a simulated cluster: the tables of `runtime/store` with their conditions and
/// locks. A commit holds its shard's row from the look at its epoch until it is written, and
/// whoever wants to raise the epoch waits for it. Calls that may have to wait answer by `done`.
class simulated_database {
 public:
  simulated_database(scheduler& time, std::uint32_t shards, planted bug)
      : rules(time, shards_), time_(time), bug_(bug), shards_(shards), owners_(shards) {}

  bool answers() const { return time_.now() >= down_until_; }
  void fail_for(ms length);
  void heal() { down_until_ = time_.now(); }

  // Nodes and their leader
  incarnation join(const std::string& id, ms ttl);
  store::renewal renew(incarnation life, ms ttl);
  void leave(incarnation life);
  void set_draining(incarnation life);
  // By operators' orders; nothing happens where there is no such node, or no leader yet.
  void set_draining(const std::string& node, bool draining);
  void assign(shard_id shard, const std::string& node);
  store::cluster_view view() const;
  store::cluster_store::led lead(incarnation self, ms ttl, const store::cluster_decision& what);

  // Shards
  using taken = std::pair<std::optional<store::taken_shard>, store::commit_outcome>;
  void take(shard_id shard, incarnation life, std::function<void(taken)> done);
  void release(shard_id shard, epoch era, std::function<void()> done);
  void commit(store::commit_batch batch, std::function<void(store::commit_outcome)> done);
  const test::durable& disk(shard_id shard) const { return shards_[shard.value()]; }
  /// The incarnation that has the shard, and the node that is to have it.
  struct owner {
    std::string assigned;
    incarnation life{0};
  };
  const owner& owner_of(shard_id shard) const { return owners_[shard.value()]; }

  invariants rules;
  std::int64_t commits = 0;
  std::int64_t refused = 0;  // Commits by epochs that were over.
  std::int64_t deaths = 0;
  std::int64_t orders = 0;  // Of operators, that changed something.
  // Hand-overs: channels whose messages were left to the next owner; shards that had not lived.
  std::int64_t handed_on = 0, never_lived = 0;

 private:
  struct node_row {
    std::string id;
    incarnation life{0};
    steady_time alive_until{};
    bool live = false;  // Neither dead nor left.
    bool draining = false;
  };
  struct owner_row : owner {
    int writers = 0;  // Commits that hold the row.
    std::vector<std::function<void()>> waiting;
  };

  node_row* find(incarnation life);
  bool alive(incarnation life) const;
  void when_unlocked(shard_id shard, std::function<void()> what);
  void write(const store::commit_batch& batch,
             const std::function<void(store::commit_outcome)>& done);
  taken take_now(shard_id shard, incarnation life);

  scheduler& time_;
  const planted bug_;
  std::vector<test::durable> shards_;
  std::vector<owner_row> owners_;
  std::vector<node_row> nodes_;
  std::int64_t lives_ = 0;
  std::int64_t version_ = 0;
  incarnation leader_{0};
  steady_time leader_until_{};
  steady_time down_until_{};
};

}  // namespace troupe::simulation
