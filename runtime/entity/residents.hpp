#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "runtime/entity/shard_world.hpp"

namespace troupe {

/// The entities of a shard that are in memory (or on their way), by slot and by name.
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

  entry& operator[](slot_id slot) { return entries_[slot.value()]; }
  const entry& operator[](slot_id slot) const { return entries_[slot.value()]; }
  std::size_t size() const { return count_; }

  template <class Visit>
  void each(Visit visit) {
    for (std::uint32_t i = 0; i < entries_.size(); ++i)
      if (entries_[i].state != entry::status::free) visit(slot_id(i), entries_[i]);
  }

 private:
  struct text_hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>{}(text);
    }
  };
  using by_key = std::unordered_map<std::string, slot_id, text_hash, std::equal_to<>>;

  std::deque<entry> entries_;  // Addresses stay valid while it grows.
  std::vector<slot_id> free_;
  std::unordered_map<const kind_def*, by_key> names_;
  std::size_t count_ = 0;
};

}  // namespace troupe
