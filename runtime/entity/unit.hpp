#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <variant>

#include "runtime/entity/shard_world.hpp"

namespace troupe {

/// One logged input of the unit plane and where it came from.
struct unit {
  input_ref input;
  entity_id to;
  message what;
  std::string request;                          // Empty: not remembered.
  std::optional<request_ref> from;              // A client waits.
  std::optional<store::timer_row> timer;        // Fired by this timer.
  std::optional<shard_id> channel;              // Came from this shard.
  std::optional<std::uint32_t> topic;           // Came from this ingress topic.
  std::optional<feed_follower::delivery> feed;  // Came from an entity that it follows.
  record_batch_ptr record;                      // Keeps the record counted as in flight.
  /// A record that could not be decoded: has no receiver, only a reason.
  struct refusal {
    std::string key, payload, reason, detail;
  };
  std::optional<refusal> refused;
  enum class lookup : std::uint8_t { unneeded, pending, done } answer_lookup = lookup::unneeded;
  std::optional<std::string> answer;  // Found: the unit has had its effect.
};

/// A unit under way: what it still has to deliver inside the shard.
struct running_unit {
  unit what;
  struct delivery {
    entity_id to;
    message what;
  };
  std::deque<delivery> todo;
  std::optional<nlohmann::json> answer;
  bool waiting = false;  // One delivery is with its entity (or its entity is being loaded).
};

/// Answers of the last units, for requests that were repeated before the store could know. Bounded.
class answer_memory {
 public:
  explicit answer_memory(std::size_t limit) : limit_(limit) {}
  void remember(std::string request, std::string answer) {
    if (answers_.emplace(request, std::move(answer)).second) order_.push_back(std::move(request));
    while (order_.size() > limit_) {
      answers_.erase(order_.front());
      order_.pop_front();
    }
  }
  const std::string* find(const std::string& request) const {
    const auto it = answers_.find(request);
    return it == answers_.end() ? nullptr : &it->second;
  }

 private:
  std::size_t limit_;
  std::unordered_map<std::string, std::string> answers_;
  std::deque<std::string> order_;
};

}  // namespace troupe
