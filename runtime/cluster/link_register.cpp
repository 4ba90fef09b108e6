#include "runtime/cluster/link_register.hpp"

#include <utility>

namespace troupe::cluster {

void link_register::on_large_frame(std::function<void(incarnation)> to) {
  const std::lock_guard lock(mutex_);
  listener_ = std::move(to);
}

void link_register::cut(incarnation life) {
  const std::lock_guard lock(mutex_);
  const auto [first, last] = links_.equal_range(life);
  for (auto it = first; it != last; ++it)
    if (const auto link = it->second.lock()) link->cut();
  links_.erase(first, last);
}

std::shared_ptr<link_handle> link_register::add(incarnation life) {
  auto link = std::make_shared<link_handle>();
  const std::lock_guard lock(mutex_);
  std::erase_if(links_, [](const auto& entry) { return entry.second.expired(); });
  links_.emplace(life, link);
  return link;
}

void link_register::large_frame_moves(incarnation life) const {
  const std::lock_guard lock(mutex_);
  if (listener_) listener_(life);
}

}  // namespace troupe::cluster
