#pragma once

#include <array>
#include <deque>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>

#include "actors/ops/notification_options.hpp"
#include "runtime/base/clock.hpp"

namespace troupe::ops {

/// What a channel has been told and is to carry outside.
struct notification {
  std::string id;
  std::string rule;
  std::string text;
  nlohmann::json facts = nlohmann::json::object();
  time_point at{};  // When the channel heard of it.
};

/// Why a notification is given up. Stored by name.
enum class death : std::uint8_t {
  queue_full = 0,       // Newer ones need its place.
  refused = 1,          // The receiver said that it will never take it.
  attempts = 2,         // Tried as often as allowed.
  age = 3,              // Too old.
  unknown_channel = 4,  // The config has no such channel.
};

/// How one attempt ended.
enum class attempt_outcome : std::uint8_t { delivered = 0, failed = 1, refused = 2 };

/// What a channel wants done.
class channel_listener {
 public:
  virtual ~channel_listener() = default;
  /// Carry it outside; its `answered` comes, or is lost.
  virtual void send(const notification& what) = 0;
  virtual void died(const notification& what, death why, const std::string& detail) = 0;
};

/// One channel's queue: every notification that it accepts is delivered at least once, or dies with
/// a name; none is forgotten. Pure: time comes with the call.
class notification_channel {
 public:
  /// `options` must outlive it. Not `known`: the config has no such channel, and all die.
  notification_channel(const delivery_options& options, bool known)
      : options_(&options), known_(known) {}

  /// Returns false when its id has been accepted before: nothing happens again.
  bool accept(notification what, time_point now, channel_listener& to);
  /// Answers to what no longer waits are ignored.
  void answered(std::string_view id, attempt_outcome how, const std::string& detail, time_point now,
                channel_listener& to);
  /// Sends what is due; an answer that did not come in time is a failure.
  void tick(time_point now, channel_listener& to);
  /// When `tick` is next needed; nothing: no need.
  std::optional<time_point> due() const;

  std::size_t waiting() const { return waiting_.size(); }
  std::int64_t delivered() const { return delivered_; }
  std::int64_t dead() const { return dead_; }
  /// `{"state": "delivered" | "waiting" | "dead" | "unknown", ...}`: how far one has come.
  nlohmann::json fate_of(std::string_view id) const;

  static constexpr int schema = 1;
  nlohmann::json save() const;
  /// Takes what `save` gave. Throws bad_state.
  void load(const nlohmann::json& from);

  /// Under way at once: more would only wait for the same receiver.
  static constexpr std::size_t in_flight_max = 16;
  /// The dead that the state shows; all of them are counted and in the dead-letter topic.
  static constexpr std::size_t dead_shown = 100;

 private:
  struct entry {
    notification what;
    std::int64_t attempts = 0;
    bool sent = false;  // An answer is awaited, until `due`; else: it is sent again at `due`.
    time_point due{};
    std::string error;
  };
  struct corpse {
    std::string id, rule;
    death why = death::queue_full;
    std::string detail;
    time_point at{};
  };
  using place = std::deque<entry>::iterator;

  place bury(place at, death why, const std::string& detail, time_point now, channel_listener& to);
  bool give_up(place& at, const std::string& error, time_point now, channel_listener& to);
  void make_room(time_point now, channel_listener& to);
  void remember(const std::string& id);
  place find(std::string_view id);
  static entry read_entry(const nlohmann::json& from);
  static corpse read_corpse(const nlohmann::json& from);

  const delivery_options* options_;
  bool known_;
  std::deque<entry> waiting_;  // Oldest first.
  std::deque<std::string> ids_;
  std::unordered_set<std::string> known_ids_;  // The same.
  std::deque<corpse> corpses_;                 // The last ones.
  std::map<std::string, std::int64_t> dead_by_;
  std::int64_t delivered_ = 0, repeated_ = 0, dead_ = 0;
  time_point delivered_at_{};
  std::string error_;  // The last failure.
};

/// Wait after the n-th failure: it doubles up to the longest, and is shortened by up to half, by
/// lot drawn from the id, so that many do not come back at the same moment.
std::chrono::milliseconds backoff_after(std::int64_t attempts, std::string_view id,
                                        const delivery_options& o);

}  // namespace troupe::ops

template <>
struct troupe::trading::names_of<troupe::ops::death> {
  static constexpr std::array<std::string_view, 5> list{"queue_full", "refused", "attempts_max",
                                                        "age_max", "unknown_channel"};
};
template <>
struct troupe::trading::names_of<troupe::ops::attempt_outcome> {
  static constexpr std::array<std::string_view, 3> list{"delivered", "failed", "refused"};
};
