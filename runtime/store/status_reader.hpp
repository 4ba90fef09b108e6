#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/base/clock.hpp"
#include "runtime/base/ids.hpp"

namespace troupe::store {

struct node_status {
  std::string id;
  incarnation life;
  std::string address;
  std::string version;
  std::string state;   // live, left, dead; a live one may have run out.
  bool alive = false;  // Live, and its lease has not run out.
  time_point started_at;
};

struct shard_status {
  shard_id id;
  std::string owner;  // Empty: nobody.
  epoch era;
  bool owner_alive = false;
  std::int64_t entities = 0;
  std::int64_t outbox = 0;  // Messages not yet acknowledged.
  std::int64_t timers = 0;
  std::int64_t quarantined = 0;  // Held.
};

/// Next offset that a shard has not committed, a topic.
struct position_status {
  shard_id shard;
  std::string topic;
  position next;
};

enum class quarantine_state : std::uint8_t { held, retried, purged };
std::string_view to_string(quarantine_state state);

struct quarantine_status {
  std::int64_t id = 0;
  shard_id shard;
  entity_id entity;
  std::string source;
  std::int64_t place = 0;
  std::string key;
  std::string input;
  std::string reason;
  quarantine_state state = quarantine_state::held;
  time_point at;
};

/// What operators ask of the database. Blocking; for one thread. Every call throws
/// `unavailable_error` when the database is out of reach and `refused` when it has no such tables.
class status_reader {
 public:
  explicit status_reader(const std::string& dsn);
  ~status_reader();

  std::vector<node_status> nodes();
  std::vector<shard_status> shards();
  std::vector<position_status> positions();

  /// Newest first, at most `rows_max`; of one state, or of all.
  std::vector<quarantine_status> quarantine(std::optional<quarantine_state> state, int rows_max);
  /// Ids of all that are held, oldest first.
  std::vector<std::int64_t> held();
  /// One row, whatever its state; nothing if there is none.
  std::optional<quarantine_status> quarantined(std::int64_t id);
  /// Held becomes retried or purged. Returns false if there is no such row, or it is no longer
  /// held.
  bool mark_quarantine(std::int64_t id, quarantine_state state);

  /// Rows of a result table or view. Requires: the name comes from a catalog, not from a user.
  std::int64_t count_rows(const std::string& table);
  /// The rows of a query as a JSON array of objects; numeric columns are texts, exact, without
  /// zeros that say nothing. Requires: the query is ours, not a user's.
  std::string read_json(const std::string& query);

 private:
  struct connection;
  std::unique_ptr<connection> connection_;
};

}  // namespace troupe::store
