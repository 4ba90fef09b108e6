#include "runtime/entity/supervision.hpp"

#include <algorithm>

namespace troupe {

shard_supervision::verdict shard_supervision::on_failure(const shard_failure& why,
                                                         steady_time now) {
  using enum shard_failure::kind;
  if (why.what == state || why.what == log) return {false, {}, why.reason, false};
  if (why.what != entity && why.what != defect) return {true, next_backoff(now), {}, false};
  bool quarantined = false;
  if (why.what == entity && ++failures_[why.input] > limits_->quarantine_after_restarts) {
    poisoned_.push_back({why.input, why.entity, why.reason});
    failures_.erase(why.input);
    quarantined = true;
  }
  while (!restarts_.empty() && now - restarts_.front() > std::chrono::minutes(1))
    restarts_.pop_front();
  restarts_.push_back(now);
  if (restarts_.size() > limits_->restarts_per_minute_max)
    return {false,
            {},
            "more than " + std::to_string(limits_->restarts_per_minute_max) +
                " restarts a minute, the last for: " + why.reason,
            quarantined};
  return {true, next_backoff(now), {}, quarantined};
}

std::chrono::milliseconds shard_supervision::next_backoff(steady_time now) {
  // A shard that held out for a while begins anew with short pauses.
  if (now - last_failure_ > 2 * limits_->backoff_max) attempts_ = 0;
  last_failure_ = now;
  const auto wait = limits_->backoff * (1U << std::min(attempts_, 10U));
  ++attempts_;
  return std::min<std::chrono::milliseconds>(wait, limits_->backoff_max);
}

}  // namespace troupe
