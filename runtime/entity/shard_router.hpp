#pragma once

#include <caf/all.hpp>
#include <mutex>
#include <vector>

#include "runtime/base/ids.hpp"

namespace troupe {

/// Where the shards are: the hosts of this node's, and for the others the member actor of the node
/// that has them. Thread-safe.
class shard_router {
 public:
  explicit shard_router(std::uint32_t shards) : hosts_(shards), remote_(shards) {}

  void set(shard_id shard, caf::actor host) {
    const std::lock_guard lock(mutex_);
    hosts_[shard.value()] = std::move(host);
  }
  void set_remote(shard_id shard, caf::actor member) {
    const std::lock_guard lock(mutex_);
    remote_[shard.value()] = std::move(member);
  }
  /// The member actor of the other node that has the shard; null if this node has it, or nobody.
  caf::actor find_remote(shard_id shard) const {
    const std::lock_guard lock(mutex_);
    return shard.value() < remote_.size() ? remote_[shard.value()] : caf::actor{};
  }
  /// The host of one of this node's shards; null for others.
  caf::actor find(shard_id shard) const {
    const std::lock_guard lock(mutex_);
    return shard.value() < hosts_.size() ? hosts_[shard.value()] : caf::actor{};
  }
  std::vector<caf::actor> all() const {
    const std::lock_guard lock(mutex_);
    return hosts_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<caf::actor> hosts_;
  std::vector<caf::actor> remote_;
};

}  // namespace troupe
