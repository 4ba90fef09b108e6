#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "runtime/entity/shard_world.hpp"

namespace troupe {

/// One logged input of the unit plane and where it came from.
struct unit {
  std::uint64_t serial = 0;  // Its place among all units of the shard.
  input_ref input;
  entity_id to;
  message what;
  std::string request;                          // Empty: not remembered.
  std::string asked;                            // What came with that id (remembered.hpp).
  std::optional<request_ref> from;              // A client waits.
  std::optional<store::timer_row> timer;        // Fired by this timer.
  std::optional<shard_id> channel;              // Came from this shard.
  std::optional<std::uint32_t> topic;           // Came from this ingress topic.
  std::optional<feed_follower::delivery> feed;  // Came from an entity that it follows.
  record_batch_ptr batch;  // Of that topic; keeps the record counted as in flight.
  record_view record;      // In the batch.
  /// A record that could not be decoded: has no receiver, only a reason.
  struct refusal {
    std::string reason, detail;
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
  std::optional<slot_id> waiting;  // One delivery is with this entity.
};

/// Answers that a look-up in the store may have missed: each is kept until the store has it and
/// every unit that was looked up before has had its turn.
class answer_memory {
 public:
  void remember(std::string request, std::string answer) {
    answers_.emplace(std::move(request), std::move(answer));
  }
  const std::string* find(const std::string& request) const {
    const auto it = answers_.find(request);
    return it == answers_.end() ? nullptr : &it->second;
  }
  /// The store has the answers to these; units up to `last` may have been looked up before.
  void stored(std::vector<std::string> requests, std::uint64_t last) {
    if (!requests.empty()) stored_.push_back({std::move(requests), last});
  }
  /// `oldest`: the first unit that still waits.
  void forget(std::uint64_t oldest) {
    for (; !stored_.empty() && stored_.front().last < oldest; stored_.pop_front())
      for (const auto& request : stored_.front().requests) answers_.erase(request);
  }
  std::size_t size() const { return answers_.size(); }

 private:
  struct batch {
    std::vector<std::string> requests;
    std::uint64_t last;
  };
  std::unordered_map<std::string, std::string> answers_;
  std::deque<batch> stored_;
};

}  // namespace troupe
