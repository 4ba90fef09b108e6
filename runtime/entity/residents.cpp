#include "runtime/entity/residents.hpp"

#include "runtime/base/ensure.hpp"
#include "runtime/entity/commit_builder.hpp"

namespace troupe {

const slot_id* residents::find(const kind_def& kind, std::string_view key) const {
  const auto names = names_.find(&kind);
  if (names == names_.end()) return nullptr;
  const auto it = names->second.find(key);
  return it == names->second.end() ? nullptr : &it->second;
}

slot_id residents::add(const kind_def& kind, const entity_id& id) {
  if (free_.empty()) {
    free_.push_back(slot_id(static_cast<std::uint32_t>(entries_.size())));
    entries_.emplace_back();
  }
  const auto slot = free_.back();
  free_.pop_back();
  auto& e = entries_[slot.value()];
  e = entry{};
  e.id = id;
  e.kind = &kind;
  e.state = entry::status::loading;
  ensure(names_[&kind].emplace(id.key, slot).second, "an entity has one slot");
  ++count_;
  return slot;
}

void residents::remove(slot_id slot) {
  auto& e = entries_[slot.value()];
  names_[e.kind].erase(e.id.key);
  e = entry{};
  free_.push_back(slot);
  --count_;
}

void add_blocks(std::vector<row_block>& to, std::vector<row_block>&& blocks) {
  for (auto& block : blocks) {
    bool found = false;
    for (auto& existing : to)
      if (&existing.table() == &block.table()) {
        existing.append(std::move(block));
        found = true;
        break;
      }
    if (!found) to.push_back(std::move(block));
  }
}

}  // namespace troupe
