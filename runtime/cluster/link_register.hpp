#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>

#include "runtime/base/ids.hpp"
#include "runtime/cluster/link_pump.hpp"

namespace troupe::cluster {

/// The links of a node that stand, by the incarnation at their other end. Thread-safe.
class link_register {
 public:
  /// `silence_max`: a link on which nothing comes for so long is cut. Every node's heartbeats see
  /// to it that something does.
  explicit link_register(std::chrono::milliseconds silence_max) : silence_max_(silence_max) {}

  std::chrono::milliseconds silence_max() const { return silence_max_; }
  /// `to` hears, on threads of the links, of whom a large frame is on its way in: again and again
  /// while its bytes come, since whatever its sender says meanwhile waits behind it. Nothing:
  /// nobody wants to hear of it.
  void on_large_frame(std::function<void(incarnation)> to);
  /// Breaks the links to an incarnation, for both ends.
  void cut(incarnation life);

  /// For a link that begins.
  std::shared_ptr<link_handle> add(incarnation life);
  void large_frame_moves(incarnation life) const;

 private:
  const std::chrono::milliseconds silence_max_;
  mutable std::mutex mutex_;
  std::multimap<incarnation, std::weak_ptr<link_handle>> links_;
  std::function<void(incarnation)> listener_;
};

}  // namespace troupe::cluster
