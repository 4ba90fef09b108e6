#include "runtime/cluster/lease_keeper.hpp"

#include "runtime/base/log.hpp"

namespace troupe::cluster {
namespace {
steady_time now() {
  return std::chrono::steady_clock::now();
}
}  // namespace

lease_keeper::lease_keeper(store::node_store& nodes, incarnation life, steady_time joined_at,
                           const lease_options& options, callbacks on)
    : nodes_(nodes), life_(life), options_(options), on_(std::move(on)), lease_(options) {
  lease_.requested(joined_at);
  lease_.answered(store::renewal::renewed, now());
  renewer_ = std::thread([this] { renew_all(); });
  watcher_ = std::thread([this] { watch(); });
}

lease_keeper::~lease_keeper() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  watcher_.join();
  // Interrupting a call that has not yet begun has no effect, hence again and again.
  std::unique_lock lock(mutex_);
  while (asking_) {
    nodes_.interrupt();
    changed_.wait_for(lock, std::chrono::milliseconds(10));
  }
  lock.unlock();
  renewer_.join();
}

bool lease_keeper::valid() const {
  const std::lock_guard lock(mutex_);
  return lease_.valid(now());
}

bool lease_keeper::superseded() const {
  const std::lock_guard lock(mutex_);
  return lease_.ended() && lease_.end() == store::renewal::superseded;
}

std::optional<steady_time> lease_keeper::away_since() const {
  const std::lock_guard lock(mutex_);
  if (failing_since_ || !asking_) return failing_since_;
  return asked_at_;
}

void lease_keeper::renew_all() {
  std::unique_lock lock(mutex_);
  while (!stopping_ && !lease_.ended()) {
    if (changed_.wait_until(lock, lease_.next_renewal(), [this] { return stopping_; })) return;
    asked_at_ = now();
    lease_.requested(asked_at_);
    asking_ = true;
    lock.unlock();
    const auto result = nodes_.renew(life_, options_.ttl);
    lock.lock();
    asking_ = false;
    if (result != store::renewal::unavailable)
      failing_since_.reset();
    else if (!failing_since_)
      failing_since_ = asked_at_;
    lease_.answered(result, now());
    changed_.notify_all();
  }
}

// Also breaks off a renewal that hangs at the moment when the lease is lost: a fresh connection may
// do better.
void lease_keeper::watch() {
  std::unique_lock lock(mutex_);
  bool held = true, over = false;
  while (!stopping_ && !over) {
    const bool valid = lease_.valid(now());
    const bool ended = lease_.ended();  // Perhaps of a lease that was lost before.
    if (valid == held && !ended) {
      if (held)
        changed_.wait_until(lock, lease_.valid_until());
      else
        changed_.wait(lock);
      continue;
    }
    held = valid;
    over = ended;
    const bool hanging = !held && asking_;
    lock.unlock();
    if (hanging) nodes_.interrupt();
    log::warn("cluster", held ? "lease_regained" : "lease_lost",
              {{"incarnation", life_}, {"for_ever", ended}});
    if (held)
      on_.regained();
    else
      on_.lost(ended);
    lock.lock();
  }
}

}  // namespace troupe::cluster
