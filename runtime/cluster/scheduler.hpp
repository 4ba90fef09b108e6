#pragma once

#include <array>
#include <atomic>
#include <caf/policy/unprofiled.hpp>
#include <caf/resumable.hpp>
#include <caf/scheduler/coordinator.hpp>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

namespace troupe::cluster {

/// Scheduling policy for CAF: each worker has a queue; an idle worker steals up to half of
/// another's oldest jobs, then sleeps until somebody wakes it. CAF's own stealing policy walks a
/// list and is quadratic when one actor wakes many. Use:
/// `config.load<caf::scheduler::coordinator<stealing>>()` before the actor system is made.
struct stealing : caf::policy::unprofiled {
  using job = caf::resumable*;

  struct coordinator_data {
    explicit coordinator_data(caf::scheduler::abstract_coordinator*) {}
    std::atomic<std::size_t> next{0};
    std::atomic<int> sleeping{0};
    std::mutex mutex;
    std::condition_variable work;
  };
  struct worker_data {
    explicit worker_data(caf::scheduler::abstract_coordinator*) {}
    worker_data(const worker_data&) {}
    std::mutex mutex;
    std::deque<job> queue;
  };

  template <class Coordinator>
  void central_enqueue(Coordinator* all, job j) {
    const auto turn = d(all).next.fetch_add(1, std::memory_order_relaxed);
    push(all->worker_by_id(turn % all->num_workers()), j);
    wake(all);
  }
  template <class Worker>
  void external_enqueue(Worker* self, job j) {
    push(self, j);
    wake(self->parent());
  }
  template <class Worker>
  void internal_enqueue(Worker* self, job j) {
    if (push(self, j) > 1) wake(self->parent());
  }
  template <class Worker>
  void resume_job_later(Worker* self, job j) {
    internal_enqueue(self, j);
  }

  template <class Worker>
  job dequeue(Worker* self) {
    constexpr int looks_before_sleep = 8;
    for (;;) {
      for (int i = 0; i < looks_before_sleep; ++i) {
        if (job j = find(self)) return j;
        std::this_thread::yield();
      }
      if (job j = sleep(self)) return j;
    }
  }

  /// Only at the end, when no worker runs any more. A visit may bring further jobs, to any worker.
  template <class Worker, class Visit>
  void foreach_resumable(Worker*, Visit) {}
  template <class Coordinator, class Visit>
  void foreach_central_resumable(Coordinator* all, Visit visit) {
    for (bool any = true; std::exchange(any, false);)
      for (std::size_t k = 0; k < all->num_workers(); ++k)
        for (; job j = take_first(all->worker_by_id(k)); any = true) visit(j);
  }

 private:
  template <class Coordinator>
  static void wake(Coordinator* all) {
    auto& data = d(all);
    if (data.sleeping.load() == 0) return;
    const std::lock_guard lock(data.mutex);
    data.work.notify_one();
  }
  template <class Worker>
  static std::size_t push(Worker* to, job j) {
    auto& data = d(to);
    const std::lock_guard lock(data.mutex);
    data.queue.push_back(j);
    return data.queue.size();
  }
  template <class Worker>
  static job take_first(Worker* of) {
    auto& data = d(of);
    const std::lock_guard lock(data.mutex);
    if (data.queue.empty()) return nullptr;
    job j = data.queue.front();
    data.queue.pop_front();
    return j;
  }
  template <class Worker>
  static job find(Worker* self) {
    if (job j = take_first(self)) return j;
    auto* all = self->parent();
    for (std::size_t k = 1; k < all->num_workers(); ++k)
      if (job j = steal(self, all->worker_by_id((self->id() + k) % all->num_workers()))) return j;
    return nullptr;
  }
  template <class Worker>
  static job steal(Worker* self, Worker* victim) {
    std::array<job, 64> loot;
    std::size_t count = 0;
    {
      auto& theirs = d(victim);
      const std::lock_guard lock(theirs.mutex);
      const auto share = std::min(loot.size(), (theirs.queue.size() + 1) / 2);
      for (; count < share; ++count) {
        loot[count] = theirs.queue.front();
        theirs.queue.pop_front();
      }
    }
    if (count == 0) return nullptr;
    auto& mine = d(self);
    const std::lock_guard lock(mine.mutex);
    mine.queue.insert(mine.queue.end(), loot.begin() + 1,
                      loot.begin() + static_cast<std::ptrdiff_t>(count));
    return loot[0];
  }
  /// The time-out covers a wake-up that came between the last look and the sleep.
  template <class Worker>
  static job sleep(Worker* self) {
    auto& data = d(self->parent());
    std::unique_lock lock(data.mutex);
    data.sleeping.fetch_add(1);
    job j = find(self);
    if (j == nullptr) data.work.wait_for(lock, std::chrono::milliseconds(10));
    data.sleeping.fetch_sub(1);
    return j;
  }
};

}  // namespace troupe::cluster
