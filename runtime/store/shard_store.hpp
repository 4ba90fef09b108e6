#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/base/clock.hpp"
#include "runtime/base/ids.hpp"
#include "runtime/codec/columns.hpp"

namespace troupe::store {

/// State of one entity, as JSON text with the schema number of its kind.
struct entity_row {
  entity_id id;
  int schema = 1;
  std::string state;
  bool follows = false;  // Lives even when nobody sends it anything: `shard_image::following`.
  time_point saved{};    // When it was committed; only read.
};

/// A message that leaves the shard: to an egress topic (`topic:NAME`) or another shard (`shard:N`).
struct outbox_row {
  std::string target;
  sequence seq;
  std::string key;      // Kafka record key, or `kind/key` of the receiver.
  std::string payload;  // JSON text.
};

/// All outbox rows of `target` up to and including `up_to` have been acknowledged and are deleted.
struct delivered_range {
  std::string target;
  sequence up_to;
};

/// A message that an entity asked to be sent to itself. Identity: (entity, name); setting it again
/// replaces it.
struct timer_row {
  entity_id owner;
  std::string name;
  time_point due;
  std::string message;  // JSON text.
};

struct timer_key {
  entity_id owner;
  std::string name;
  auto operator<=>(const timer_key&) const = default;
};

/// The answer given to a client's request id; repeated requests get it again for as long as it is
/// kept, by the database's clock alone.
struct answer_row {
  std::string request;
  std::string answer;  // JSON text.
  std::chrono::seconds kept;
};

/// An input that failed again and again and was set aside.
struct quarantine_row {
  entity_id entity;
  std::string source;      // Topic name, `timer`, `shard:N` or `request`.
  std::int64_t place = 0;  // Offset or sequence in the source.
  std::string key;         // Record key, timer name or request id.
  std::string input;       // The raw payload.
  std::string reason;
};

/// Everything that one transaction makes durable for one shard. Parts may be empty.
struct commit_batch {
  shard_id shard;
  epoch era;
  std::map<std::string, position> positions;  // Topic to next offset.
  std::vector<entity_row> entities;           // At most one row an entity.
  std::vector<outbox_row> outbox;
  std::vector<delivered_range> delivered;
  std::vector<timer_row> timers_set;
  std::vector<timer_key> timers_cleared;  // None of them also in timers_set.
  std::vector<answer_row> answers;
  std::map<shard_id, sequence> channels;  // Source shard to last applied sequence.
  std::vector<row_block> rows;            // At most one block a table.
  std::vector<quarantine_row> quarantined;

  bool empty() const {
    return positions.empty() && entities.empty() && outbox.empty() && delivered.empty() &&
           timers_set.empty() && timers_cleared.empty() && answers.empty() && channels.empty() &&
           rows.empty() && quarantined.empty();
  }
};

enum class commit_outcome : std::uint8_t {
  committed,
  fenced,           // Another epoch owns the shard; nothing was written.
  outcome_unknown,  // The connection was lost meanwhile: take the shard again (new epoch), reload,
                    // then decide.
  unavailable,      // Nothing was written; the database could not be reached.
  rejected,  // The database refused the content (a constraint, a bad value): a defect, see the log.
};

/// What a new owner must know before it lets anything in. Entities are loaded when they are first
/// needed.
struct shard_image {
  std::map<std::string, position> positions;
  std::map<std::string, sequence> sequences;  // Target to last sequence ever used.
  std::vector<outbox_row> outbox;             // Not yet acknowledged, by (target, seq).
  std::vector<timer_row> timers;
  std::map<shard_id, sequence> channels;
  std::vector<entity_id> following;  // Entities that follow others.
};

struct taken_shard {
  epoch era;
  shard_image image;
};

/// Durable memory of shards. Calls return at once; the callback runs on a store thread, exactly
/// once. Commits of one shard, and its release, are carried out in the order in which they were
/// made; what an older epoch still has under way is carried out before `take`, or fenced. What is
/// read waits for nobody: it holds every commit that was answered before it was asked for, and
/// perhaps later ones.
class shard_store {
 public:
  virtual ~shard_store() = default;

  /// Takes the shard for `owner` (epoch + 1), then reads its image. Nothing if it could not be
  /// done: another live incarnation owns it (`fenced`) or the database is out of reach
  /// (`unavailable`).
  using take_done = std::function<void(std::optional<taken_shard>, commit_outcome)>;
  virtual void take(shard_id shard, incarnation owner, take_done done) = 0;

  /// Gives the shard up, so that another may take it before the lease ends.
  virtual void release(shard_id shard, epoch era, std::function<void()> done) = 0;

  using commit_done = std::function<void(commit_outcome)>;
  virtual void commit(commit_batch batch, commit_done done) = 0;

  /// States of those entities that have one; nothing if the database is out of reach.
  using load_done = std::function<void(std::optional<std::vector<entity_row>>)>;
  virtual void load(shard_id shard, std::vector<entity_id> ids, load_done done) = 0;

  /// The remembered answer to a request: outer nothing if out of reach, inner nothing if unknown.
  using answer_done = std::function<void(std::optional<std::optional<std::string>>)>;
  virtual void find_answer(shard_id shard, std::string request, answer_done done) = 0;
};

}  // namespace troupe::store
