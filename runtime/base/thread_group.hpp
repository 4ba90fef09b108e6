#pragma once

#include <atomic>
#include <list>
#include <mutex>
#include <thread>
#include <utility>

namespace troupe {

/// Threads that come and go. Whoever destroys the group waits for them to their very end: a thread
/// that is merely detached still runs its libraries' own clean-up, which must not meet the
/// process's.
class thread_group {
 public:
  thread_group() = default;
  ~thread_group() {
    for (auto& m : members_) m.thread.join();
  }
  thread_group(const thread_group&) = delete;
  thread_group& operator=(const thread_group&) = delete;

  /// `body` must not throw. Throws std::system_error when the system has no thread left.
  template <class Body>
  void start(Body body) {
    const std::lock_guard lock(mutex_);
    members_.remove_if([](member& m) {
      const bool done = m.done;
      if (done) m.thread.join();
      return done;
    });
    auto& m = members_.emplace_back();
    try {
      m.thread = std::thread([&done = m.done, body = std::move(body)]() mutable {
        body();
        done = true;
      });
    } catch (...) {
      members_.pop_back();
      throw;
    }
  }

 private:
  struct member {
    std::thread thread;
    std::atomic<bool> done{false};
  };
  std::mutex mutex_;
  std::list<member> members_;
};

}  // namespace troupe
