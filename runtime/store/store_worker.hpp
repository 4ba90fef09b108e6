#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "runtime/store/pg_connection.hpp"

namespace troupe::store {

struct reconnect_options {
  /// Pause before the second attempt; doubled after each further one.
  std::chrono::milliseconds first{20};
  /// Longest pause. Shorter notices a restarted server sooner, longer spares it a crowd.
  std::chrono::milliseconds longest{500};
};

/// One thread, one connection, jobs in order.
class store_worker {
 public:
  /// Gets the open connection, or nullptr when the database is out of reach. Must not throw.
  using job = std::function<void(pg_connection*)>;

  store_worker(const connection_options& connection, reconnect_options reconnect);
  /// Lets the job at hand end (a hung one is broken off after two seconds); the others run with
  /// nullptr.
  ~store_worker();

  void post(job work);
  std::size_t queued() const;

 private:
  void run();
  bool reach(std::unique_lock<std::mutex>& lock);
  void fail_all(std::unique_lock<std::mutex>& lock);

  const reconnect_options reconnect_;
  pg_connection connection_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<job> jobs_;
  bool stopping_ = false;
  bool ended_ = false;
  std::chrono::milliseconds pause_;  // The store thread's alone, like retry_at_.
  steady_time retry_at_{};
  std::thread thread_;  // Last: the others must exist when it starts.
};

}  // namespace troupe::store
