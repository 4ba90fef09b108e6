#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "runtime/entity/shard_world.hpp"

namespace troupe {

/// The entities of a shard that are in memory (or on their way), by slot and by name. What has been
/// removed leaves its memory, too.
class residents {
 public:
  struct entry {
    entity_id id;
    const kind_def* kind = nullptr;
    enum class status : std::uint8_t { free, loading, ready } state = status::free;
    bool stored = false;     // The store has (or is about to have) a state of it.
    bool changed = false;    // Took something of a log or a feed since its last save.
    std::uint32_t busy = 0;  // Saves and deliveries under way: not to be retired.
    time_point used{};
    time_point saved{};  // When its state was committed last; epoch if never.
    std::string topic;   // Log plane: where its events come from.
    struct parked {
      event_batch_ptr events;
      record_batch_ptr from;
    };
    std::vector<parked> waiting;  // Log plane: events that came while loading.
  };

  /// The slot of this entity, or nothing.
  const slot_id* find(const kind_def& kind, std::string_view key) const;
  /// A new slot in status `loading`.
  slot_id add(const kind_def& kind, const entity_id& id);
  void remove(slot_id slot);

  bool contains(slot_id slot) const {
    const auto number = slot.value() / page_size;
    return number < pages_.size() && pages_[number] &&
           pages_[number]->entries[slot.value() % page_size].state != entry::status::free;
  }
  /// Requires: contained. Its address stays valid while others come and go.
  entry& operator[](slot_id slot) {
    return pages_[slot.value() / page_size]->entries[slot.value() % page_size];
  }
  const entry& operator[](slot_id slot) const {
    return pages_[slot.value() / page_size]->entries[slot.value() % page_size];
  }
  std::size_t size() const { return count_; }

  /// `visit` may remove what it sees.
  template <class Visit>
  void each(Visit visit) {
    for (std::uint32_t i = 0; i < pages_.size() * page_size; ++i)
      if (contains(slot_id(i))) visit(slot_id(i), (*this)[slot_id(i)]);
  }

 private:
  struct text_hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>{}(text);
    }
  };
  using by_key = std::unordered_map<std::string, slot_id, text_hash, std::equal_to<>>;
  static constexpr std::uint32_t page_size = 32;
  struct page {
    std::array<entry, page_size> entries;
    std::uint32_t used = 0;
  };

  std::vector<std::unique_ptr<page>> pages_;  // Null: empty. The last one never is.
  std::set<std::uint32_t> roomy_;             // Pages with room, empty ones among them.
  std::unordered_map<const kind_def*, by_key> names_;
  std::size_t count_ = 0;
};

}  // namespace troupe
