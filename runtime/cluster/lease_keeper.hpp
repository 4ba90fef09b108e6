#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

#include "runtime/cluster/lease.hpp"

namespace troupe::cluster {

/// Keeps a joined node's lease renewed. One thread asks the database, another watches the clock, so
/// that a database that does not answer can't keep the node from stopping in time.
class lease_keeper {
 public:
  struct callbacks {
    /// Stop all shards now: the lease is about to end, or has. Called once each time the lease is
    /// lost, and once more if a lost one turns out to have ended. `ended`: this incarnation is dead
    /// for ever and never regains it.
    std::function<void(bool ended)> lost;
    /// The lease is valid again: shards may be taken anew.
    std::function<void()> regained;
  };

  /// `life` joined with a request that was sent at `joined_at`, for options.ttl. Callbacks come
  /// from a thread of the keeper; they must not throw, nor destroy the keeper.
  lease_keeper(store::node_store& nodes, incarnation life, steady_time joined_at,
               const lease_options& options, callbacks on);
  /// Ends the threads; a renewal under way is broken off. Does not leave the cluster.
  ~lease_keeper();

  /// Whether the node may act as an owner now. Any thread.
  bool valid() const;
  /// Whether the lease ended because another process joined under this node's id. Any thread.
  bool superseded() const;
  /// Since when the database has owed an answer; nothing while it owes none. Any thread.
  std::optional<steady_time> away_since() const;

 private:
  void renew_all();
  void watch();

  store::node_store& nodes_;
  const incarnation life_;
  const lease_options options_;
  const callbacks on_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  lease lease_;
  bool asking_ = false;
  steady_time asked_at_{};
  std::optional<steady_time> failing_since_;
  bool stopping_ = false;
  std::thread renewer_;
  std::thread watcher_;
};

}  // namespace troupe::cluster
