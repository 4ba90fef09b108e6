#pragma once

#include <mutex>
#include <vector>

#include "runtime/entity/shard_machine.hpp"

namespace troupe {

/// What a node shows of its shards: hosts post, status, metrics and health read. Thread-safe.
class status_board {
 public:
  struct entry {
    shard_progress now;
    shard_progress before;  // Totals of earlier lives of the shard in this process.
    bool owned = false;     // Hosted here, or to be.
    std::string stopped;    // Why the supervisor gave it up; empty while it is kept going.
    std::string last_failure;
    bool store_lost = false;  // It went down for want of the store, and is not back yet.
    std::int64_t restarts = 0;
    steady_time advanced{};  // When it last made progress, or had nothing to do.
  };

  explicit status_board(std::uint32_t shards) : entries_(shards) {
    for (auto& e : entries_) e.advanced = std::chrono::steady_clock::now();
  }

  void own(shard_id shard, bool owned) {
    const std::lock_guard lock(mutex_);
    auto& e = entries_[shard.value()];
    if (e.owned == owned) return;
    if (!owned) {
      add_totals(e.before, e.now);
      e.now = {};
    }
    e.owned = owned;
    e.store_lost = false;
    e.stopped.clear();
    e.advanced = std::chrono::steady_clock::now();
  }

  void post(shard_id shard, shard_progress progress, steady_time now) {
    const std::lock_guard lock(mutex_);
    auto& e = entries_[shard.value()];
    if (!e.owned) return;
    const bool moved = progress.applied != e.now.applied || progress.commits != e.now.commits;
    const bool idle = progress.live && progress.lag == 0 && progress.uncommitted == 0 &&
                      progress.undelivered == 0;
    if (moved || idle) e.advanced = now;
    if (progress.live) e.store_lost = false;
    e.now = std::move(progress);
  }

  void failed(shard_id shard, std::string reason, bool given_up) {
    const std::lock_guard lock(mutex_);
    auto& e = entries_[shard.value()];
    add_totals(e.before, e.now);
    e.now = {};
    e.now.positions = e.before.positions;
    ++e.restarts;
    if (given_up) {
      e.stopped = reason;
      e.store_lost = false;  // That is not what it waits for.
    }
    e.last_failure = std::move(reason);
  }

  /// Until the shard is live again.
  void store_is_lost(shard_id shard) {
    const std::lock_guard lock(mutex_);
    auto& e = entries_[shard.value()];
    e.store_lost = e.owned && e.stopped.empty();
  }

  bool store_lost(shard_id shard) const {
    const std::lock_guard lock(mutex_);
    return shard.value() < entries_.size() && entries_[shard.value()].store_lost;
  }

  std::vector<entry> read() const {
    const std::lock_guard lock(mutex_);
    return entries_;
  }

 private:
  static void add_totals(shard_progress& to, const shard_progress& from) {
    to.applied += from.applied;
    to.commits += from.commits;
    for (const auto& [table, rows] : from.rows) to.rows[table] += rows;
    to.units += from.units;
    to.dead_letters += from.dead_letters;
    to.quarantined += from.quarantined;
    to.log_missing += from.log_missing;
    to.feed_missing += from.feed_missing;
    to.feed_cuts += from.feed_cuts;
    to.positions = from.positions;
  }

  mutable std::mutex mutex_;
  std::vector<entry> entries_;
};

}  // namespace troupe
