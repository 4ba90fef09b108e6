#pragma once

#include <caf/all.hpp>
#include <mutex>
#include <vector>

#include "runtime/base/ids.hpp"

namespace troupe {

/// Where the shard hosts are. Thread-safe.
class shard_router {
 public:
  explicit shard_router(std::uint32_t shards) : hosts_(shards) {}

  void set(shard_id shard, caf::actor host) {
    const std::lock_guard lock(mutex_);
    hosts_[shard.value()] = std::move(host);
  }
  /// The host of a shard; null while nobody has it.
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
};

}  // namespace troupe
