#pragma once

#include <atomic>
#include <chrono>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "app/feed/fed_files.hpp"
#include "app/feed/record_reader.hpp"
#include "app/feed/state_file.hpp"
#include "app/settings.hpp"
#include "runtime/bridge/history_reader.hpp"
#include "runtime/bridge/kafka_producer.hpp"

namespace troupe::feed {

/// How far a feed is in one partition: its first `records` records there lie below `offset`.
struct lane_position {
  std::int64_t offset = 0;
  std::uint64_t records = 0;
};

/// What is known of a feed between runs.
struct feed_notes {
  bool done = false;                 // All of the files is in the topic.
  bool settled = false;              // Nothing is there but what the lanes tell.
  std::vector<lane_position> lanes;  // By partition.

  std::uint64_t records() const;
};
/// Notes of older versions do not tell what they are of, nor whether they are settled.
std::optional<feed_notes> load_notes(const state_file& from);

/// The first offsets of a feed that begins now. Throws when the brokers do not answer.
feed_notes fresh_notes(const app::settings& all);

/// Sends a feed's records, each exactly once, however often the feed is killed and started again:
/// what the notes do not know is looked up in the topic itself. Records must come in the same order
/// in every run.
class exact_sender {
 public:
  /// `resumed`: the notes are of an earlier run. Throws when the brokers do not answer.
  exact_sender(const app::settings& all, const state_file& file, const feed_subject& of,
               const feed_notes& notes, bool resumed);

  /// Counts the record; true if an earlier run has brought it to the topic. Throws when the topic
  /// cannot tell.
  bool already_there(const record& r);
  /// What `already_there` has just denied; false: given up because of an interrupt. Throws when
  /// Kafka refuses it.
  bool send(const record& r);
  /// Notes what is known to have arrived, once a second.
  void note_if_due();
  /// Waits for all that was sent and notes it. `done`: it was all of the files. Throws when not all
  /// of it arrived.
  void finish(bool done);

 private:
  struct lane {
    std::uint64_t counted = 0;
    std::uint64_t noted = 0;  // So many are known to be there from the start.
    lane_position known;
    std::int64_t look_at = 0, look_until = 0;  // Offsets that may hold what an earlier run sent.
    bridge::history_batch found;
    std::size_t next_found = 0;
  };
  bool find(std::uint32_t partition, const record& r);
  void read_more(std::uint32_t partition);
  void take(const bridge::delivery& d);
  void note(bool done, bool settled);
  bool looked_at_all() const;
  void check() const;

  const state_file& file_;
  const nlohmann::json of_;
  const std::uint32_t partitions_;
  mutable std::mutex mutex_;  // Guards each lane's `known`, and `error_`.
  std::vector<lane> lanes_;
  std::string error_;
  std::uint32_t current_ = 0;
  std::chrono::steady_clock::time_point next_note_;
  bridge::history_reader history_;
  bridge::kafka_producer producer_;
};

}  // namespace troupe::feed
