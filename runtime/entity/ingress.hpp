#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/base/ids.hpp"
#include "runtime/entity/entity.hpp"

namespace troupe {

/// One record of a log; key and payload are borrowed from its batch.
struct record_view {
  std::string_view key;
  std::string_view payload;
  std::int64_t offset = 0;
  std::int64_t timestamp_ms = -1;  // Kafka's, milliseconds since 1970; -1 if it has none.
};

/// Consecutive records of one partition as they came from the log. Destroying it tells the source
/// that they have been taken, which is what lets a paused partition go on.
struct record_batch {
  shard_id shard;
  std::uint32_t topic = 0;      // Index into the catalog's ingress list.
  std::int64_t assignment = 0;  // As given to `assign`; an older one is stale and must be ignored.
  std::int64_t log_end = 0;  // End of the partition as last known; position against it is the lag.
  std::vector<record_view> records;
  std::shared_ptr<void> storage;  // Owns what the views point at.
};
using record_batch_ptr = std::shared_ptr<const record_batch>;

/// Takes what a decoder makes of records.
class decoder_sink {
 public:
  virtual ~decoder_sink() = default;
  /// Events for the entity with this key (log-fed kinds).
  virtual void deliver(std::string_view key, event_batch_ptr events) = 0;
  /// One message for one entity (all other kinds). `request` may be empty; with one, repeating it
  /// has no second effect.
  virtual void deliver(const record_view& from, entity_id to, message what,
                       std::string request) = 0;
  /// A record that cannot be used: goes to the dead-letter topic with `reason` (a fixed name) and
  /// `detail`.
  virtual void refuse(const record_view& record, std::string_view reason,
                      std::string_view detail) = 0;
};

/// Turns the records of one ingress topic into deliveries. One instance a shard host: it may keep
/// buffers. Never throws on input.
class decoder {
 public:
  virtual ~decoder() = default;
  virtual void decode(std::span<const record_view> records, decoder_sink& sink) = 0;
};

/// An ingress topic and what its records are.
struct ingress_def {
  std::string topic;
  std::string kind;  // Kind that `deliver(key, events)` addresses.
  std::function<std::unique_ptr<decoder>()> make_decoder;
  std::size_t record_bytes_max = 1'048'576;  // Of a payload; see `decoder_of`.
  std::uint32_t partitions = 0;              // Of the topic; 0: whoever asks does not mind.
};
/// The topic's decoder behind a check: payloads that are too large are refused as
/// `record_too_large`, keys that belong to another partition than this one as `wrong_partition`
/// (the entity that they are for lives in another shard), and nothing looks into them.
std::unique_ptr<decoder> decoder_of(const ingress_def& def, std::optional<shard_id> partition = {});

/// Why a partition cannot be read from the position that was wanted.
struct unreadable_log {
  enum class cause : std::uint8_t {
    truncated,  // Records were deleted before they were read: it begins at `begin`, behind
                // `wanted`.
    unknown,    // There is no such topic, or it has no such partition.
    ended,      // It ends at `end`, before `wanted`: the topic was made anew, or lost its end.
  };
  std::uint32_t topic = 0;
  cause why = cause::truncated;
  position wanted;
  position begin;  // Unless it is unknown.
  position end;    // Unless it is unknown.
};

/// The log on the way in. Implemented by the bridge.
class ingress_port {
 public:
  virtual ~ingress_port() = default;

  /// All of it runs on the polling thread: hand over, do not work.
  struct receiver {
    std::function<void(record_batch_ptr)> records;
    /// The partition stays unassigned until the host assigns it again.
    std::function<void(const unreadable_log&)> unreadable;
    /// Where the last record of the log ends, told when that is news and no record tells it: about
    /// once a second, also while nothing is handed over.
    std::function<void(std::uint32_t topic, position end)> log_end;
  };
  struct start {
    std::uint32_t topic;
    position from;
  };
  /// Starts delivery of the shard's partitions. `assignment` tags the batches.
  virtual void assign(shard_id shard, std::int64_t assignment, std::vector<start> from,
                      receiver to) = 0;
  virtual void unassign(shard_id shard) = 0;
  /// Holds the shard's partitions back (memory is full elsewhere) and lets them go on.
  virtual void pause(shard_id shard) = 0;
  virtual void resume(shard_id shard) = 0;
};

/// What a log holds of some entities from a position on.
struct history_chunk {
  enum class outcome : std::uint8_t {
    read,         // `events` are all of the wanted ones in [from, next); `next` may be `from`.
    truncated,    // The log begins at `begin`, behind `from`.
    unavailable,  // Nothing could be read; it was logged why.
  };
  struct of_key {
    std::string key;
    event_batch_ptr events;
  };
  outcome what = outcome::unavailable;
  position from;
  position next;
  position begin;
  std::vector<of_key> events;
};

/// The log on the way back: what followers have missed. Implemented by the bridge.
class history_port {
 public:
  virtual ~history_port() = default;
  /// Reads a bounded stretch of an ingress topic's partition and decodes what has one of these
  /// keys. `done` runs on a thread of the port, exactly once.
  virtual void read(std::uint32_t topic, shard_id partition, position from,
                    std::vector<std::string> keys, std::function<void(history_chunk)> done) = 0;
};

/// The log on the way out. Implemented by the bridge. Shard i writes partition i; every record
/// carries the headers `shard`, `epoch`, `seq`.
class egress_port {
 public:
  virtual ~egress_port() = default;

  struct listener {
    /// The record is in the log.
    std::function<void(const std::string& topic, sequence seq)> delivered;
    /// It may or may not be: the host opens the shard again and goes on after the sequence that is
    /// out.
    std::function<void(const std::string& topic, std::string reason)> lost;
    /// Answer to `open`: last sequence of this shard in each topic's partition, 0 if none.
    std::function<void(std::map<std::string, sequence>)> opened;
  };
  /// Waits until nothing of this shard is in flight, reads the tails of its partitions, answers
  /// `opened`; retries while the log is out of reach. Callbacks run on a bridge thread.
  virtual void open(shard_id shard, epoch era, std::vector<std::string> topics, listener to) = 0;
  /// Hands one record to the producer. Sequences of a topic must come in order. Dropped when `era`
  /// is not the one opened, or when the node's lease is not valid (then `lost`).
  virtual void publish(shard_id shard, epoch era, const std::string& topic, sequence seq,
                       std::string_view key, std::string_view payload) = 0;
  virtual void close(shard_id shard) = 0;
};

/// Everything a node hosts: assembled in `app/`.
struct catalog {
  std::vector<kind_def> kinds;
  std::vector<ingress_def> ingress;
  std::vector<std::string> egress;  // Topics; `dead-letter` is always among them.
};

}  // namespace troupe
