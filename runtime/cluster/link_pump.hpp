#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "runtime/cluster/frame_filter.hpp"
#include "runtime/cluster/link_socket.hpp"

namespace troupe::cluster {

/// Keeps SIGPIPE from the calling thread as long as it lives: OpenSSL writes without asking not to
/// be signalled.
class no_broken_pipes {
 public:
  no_broken_pipes();
  ~no_broken_pipes();
  no_broken_pipes(const no_broken_pipes&) = delete;
  no_broken_pipes& operator=(const no_broken_pipes&) = delete;

 private:
  bool blocked_ = false;
};

/// A link that a pump serves, for who may want it to end. Thread-safe.
class link_handle {
 public:
  /// Breaks the link, now or as soon as it begins.
  void cut();

 private:
  friend class pump;
  void begin(int fd);
  void end();

  std::mutex mutex_;
  int fd_ = -1;
  bool cut_ = false;
};

/// What a pump is to know of its link.
struct pump_orders {
  std::string peer;  // For the log.
  frame_rules incoming{};
  /// When nothing has come for so long the link is over; 0: never.
  std::chrono::milliseconds silence_max{0};
  /// Called now and then while the bytes of one large frame come in. Null: nobody asks.
  std::function<void()> large_frame_moves{};
  std::shared_ptr<link_handle> handle{};  // Null: nobody cuts it.
  std::function<void()> ended{};          // The last thing that its thread calls. Null: nothing.
};

/// Copies between a link's socket and a socket of this process, which it returns: CAF's end. A
/// thread of its own does it, with a fixed amount of memory, until either side closes, the peer is
/// silent for too long or sends what it may not; then both are closed. Throws link_error when the
/// system has no socket or thread left.
int start_pump(link_socket link, pump_orders orders);

}  // namespace troupe::cluster
