#pragma once

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>

#include "runtime/base/ensure.hpp"

namespace troupe::bridge {

/// Wakes one thread that waits in `wait`. A signal before the wait is not lost.
class wake_event {
 public:
  wake_event() : fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    ensure(fd_ >= 0, "an eventfd can be made");
  }
  ~wake_event() { ::close(fd_); }
  wake_event(const wake_event&) = delete;
  wake_event& operator=(const wake_event&) = delete;

  /// For others who signal it by writing eight bytes that are a small number.
  int fd() const { return fd_; }
  void signal() const {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto done =
        ::write(fd_, &one, sizeof one);  // Full means that it is signalled already.
  }
  void wait(int timeout_ms) const {
    pollfd p{fd_, POLLIN, 0};
    ::poll(&p, 1, timeout_ms);
    std::uint64_t seen = 0;
    [[maybe_unused]] const auto done = ::read(fd_, &seen, sizeof seen);
  }

 private:
  int fd_;
};

}  // namespace troupe::bridge
