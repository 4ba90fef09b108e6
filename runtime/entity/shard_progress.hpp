#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "runtime/base/clock.hpp"
#include "runtime/base/ids.hpp"
#include "runtime/entity/feed_follower.hpp"

namespace troupe {

/// Progress of a shard, for status, metrics and health.
struct shard_progress {
  std::int64_t era = 0;
  bool live = false;
  std::int64_t applied = 0;    // Records applied since the shard went live.
  std::int64_t lag = 0;        // Records in the log that have not been taken yet, over all topics.
  time_point starved_since{};  // Since when a topic has had some, and brought none; epoch: none.
  std::string starved_of;      // That topic.
  std::int64_t uncommitted = 0;    // Records taken but not yet committed.
  time_point uncommitted_since{};  // When the oldest of them was taken; epoch if there is none.
  std::int64_t commits = 0;
  std::map<std::string, std::int64_t> rows;  // Result rows written, by table.
  std::int64_t units = 0;
  std::int64_t dead_letters = 0;
  std::int64_t quarantined = 0;
  std::int64_t log_missing = 0;  // Records that the log lost before they were read.
  std::size_t undelivered = 0;   // Outbox rows not yet acknowledged.
  time_point undelivered_since{};
  std::size_t inbox = 0;
  std::size_t residents = 0;
  std::map<std::string, position> positions;  // Committed, by topic.
  feed_state feeds;                           // What its entities follow.
  std::size_t feeds_out = 0;                  // Shards that follow its entities.
  std::int64_t feed_cuts = 0;                 // Followers that were too slow.
  std::int64_t feed_missing = 0;              // Records that the log lost before a follower's turn.
};

}  // namespace troupe
