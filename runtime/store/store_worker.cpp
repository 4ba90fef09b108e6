#include "runtime/store/store_worker.hpp"

#include <algorithm>
#include <utility>

namespace troupe::store {
namespace {
constexpr std::chrono::seconds hung_after{2};
}

store_worker::store_worker(const connection_options& connection, reconnect_options reconnect)
    : reconnect_(reconnect),
      connection_(connection),
      pause_(reconnect.first),
      thread_([this] { run(); }) {}

store_worker::~store_worker() {
  {
    std::unique_lock lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
    if (!changed_.wait_for(lock, hung_after, [this] { return ended_; })) connection_.interrupt();
  }
  thread_.join();
}

void store_worker::post(job work) {
  const std::lock_guard lock(mutex_);
  jobs_.push_back(std::move(work));
  changed_.notify_all();
}

std::size_t store_worker::queued() const {
  const std::lock_guard lock(mutex_);
  return jobs_.size();
}

void store_worker::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
    if (stopping_ || !reach(lock)) {
      fail_all(lock);
      if (stopping_ && jobs_.empty()) break;
      continue;
    }
    auto work = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    work(&connection_);
    work = nullptr;
    lock.lock();
  }
  ended_ = true;
  changed_.notify_all();
}

// Waits out the pause after a failed attempt, so that callers who try again at once don't hammer
// the server.
bool store_worker::reach(std::unique_lock<std::mutex>& lock) {
  changed_.wait_until(lock, retry_at_, [this] { return stopping_; });
  if (stopping_) return false;
  lock.unlock();
  const bool open = connection_.ensure_open();
  lock.lock();
  if (open) {
    pause_ = reconnect_.first;
    return true;
  }
  retry_at_ = std::chrono::steady_clock::now() + pause_;
  pause_ = std::min(2 * pause_, reconnect_.longest);
  return false;
}

void store_worker::fail_all(std::unique_lock<std::mutex>& lock) {
  auto failed = std::exchange(jobs_, {});
  lock.unlock();
  for (const auto& work : failed) work(nullptr);
  failed.clear();
  lock.lock();
}

}  // namespace troupe::store
