#include "runtime/entity/timers.hpp"

namespace troupe {

void timers::set(store::timer_row row) {
  const store::timer_key key{row.owner, row.name};
  cancel(key);
  by_due_.emplace(row.due, key);
  timers_[key] = {std::move(row), false};
}

void timers::cancel(const store::timer_key& key) {
  const auto it = timers_.find(key);
  if (it == timers_.end()) return;
  by_due_.erase({it->second.row.due, key});
  timers_.erase(it);
}

std::vector<store::timer_row> timers::fire(time_point now) {
  std::vector<store::timer_row> due;
  while (!by_due_.empty() && by_due_.begin()->first <= now) {
    auto& timer = timers_.at(by_due_.begin()->second);
    timer.fired = true;
    due.push_back(timer.row);
    by_due_.erase(by_due_.begin());
  }
  return due;
}

bool timers::still_due(const store::timer_row& fired) const {
  const auto it = timers_.find({fired.owner, fired.name});
  return it != timers_.end() && it->second.fired && it->second.row.due == fired.due;
}

std::optional<time_point> timers::next() const {
  if (by_due_.empty()) return std::nullopt;
  return by_due_.begin()->first;
}

}  // namespace troupe
