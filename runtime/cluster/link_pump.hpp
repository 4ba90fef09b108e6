#pragma once

#include <functional>
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

/// Copies between a link's socket and a socket of this process, which it returns: CAF's end. A
/// thread of its own does it, with a fixed amount of memory, until either side closes or the peer
/// sends what `incoming` does not admit; then both are closed. `ended` is the last thing that the
/// thread calls. Throws link_error when the system has no socket or thread left.
int start_pump(link_socket link, const std::string& peer, frame_rules incoming,
               std::function<void()> ended);

}  // namespace troupe::cluster
