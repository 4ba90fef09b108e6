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

/// In the first page that has room, so that the last ones become empty.
slot_id residents::add(const kind_def& kind, const entity_id& id) {
  if (roomy_.empty()) {
    roomy_.insert(static_cast<std::uint32_t>(pages_.size()));
    pages_.emplace_back();
  }
  const auto number = *roomy_.begin();
  auto& in = pages_[number];
  if (!in) in = std::make_unique<page>();
  std::uint32_t at = 0;
  while (in->entries[at].state != entry::status::free) ++at;
  auto& e = in->entries[at];
  e.id = id;
  e.kind = &kind;
  e.state = entry::status::loading;
  if (++in->used == page_size) roomy_.erase(number);
  const slot_id slot(number * page_size + at);
  ensure(names_[&kind].emplace(id.key, slot).second, "an entity has one slot");
  ++count_;
  return slot;
}

void residents::remove(slot_id slot) {
  auto& e = (*this)[slot];
  auto& names = names_[e.kind];
  names.erase(names.find(e.id.key));
  if (8 * (names.size() + 8) < names.bucket_count()) names.rehash(0);
  e = entry{};
  --count_;
  const auto number = slot.value() / page_size;
  roomy_.insert(number);
  if (--pages_[number]->used > 0) return;
  pages_[number].reset();
  for (; !pages_.empty() && !pages_.back(); pages_.pop_back())
    roomy_.erase(static_cast<std::uint32_t>(pages_.size() - 1));
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
