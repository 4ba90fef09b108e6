#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/base/clock.hpp"
#include "runtime/base/ids.hpp"
#include "runtime/codec/columns.hpp"

namespace troupe {

/// A message between entities, from a client, a timer or a command topic. Commands are imperative
/// (`submit_order`), events past tense (`order_filled`).
struct message {
  std::string type;
  nlohmann::json body;
};

/// Stored state that cannot be used: an unknown schema, or damaged text. The shard refuses to start
/// and says so.
struct bad_state : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Events of one entity, decoded from consecutive records of its ingress partition. Immutable.
class event_batch {
 public:
  virtual ~event_batch() = default;
  virtual std::size_t size() const = 0;
  /// Offset of the i-th event's record.
  virtual position at(std::size_t i) const = 0;
};
using event_batch_ptr = std::shared_ptr<const event_batch>;

/// What a core decided while it handled an input: the only way out of an entity. Nothing of it
/// leaves the shard before the commit that holds its cause.
class effects {
 public:
  struct told {
    entity_id to;
    message what;
  };
  struct published {
    std::string topic;
    std::string key;
    std::string payload;
  };
  struct timer_change {
    std::string name;
    std::optional<time_point> due;  // Nothing: cancel.
    message what;
  };

  /// Sends to another entity: inside the shard at once, elsewhere exactly once after the commit.
  void tell(entity_id to, message what) { tells.push_back({std::move(to), std::move(what)}); }
  /// Appends a record to an egress topic of the catalog.
  void publish(std::string_view topic, std::string key, std::string payload) {
    records.push_back({std::string(topic), std::move(key), std::move(payload)});
  }
  /// Answers the request that caused this unit; the last answer of a unit counts.
  void reply(nlohmann::json what) { answer = std::move(what); }
  /// Asks for a message to itself at `due`; the same name replaces an earlier timer.
  void set_timer(std::string name, time_point due, message what) {
    timers.push_back({std::move(name), due, std::move(what)});
  }
  void cancel_timer(std::string name) { timers.push_back({std::move(name), std::nullopt, {}}); }
  /// The block that collects rows of a result table.
  row_block& rows(const table_def& table);
  /// This message changed nothing: a read. Without it the state is saved with the unit.
  void unchanged() { read_only = true; }

  /// Records wait to go out; rows alone can wait for the next checkpoint.
  bool has_output() const { return !records.empty(); }

  std::vector<told> tells;
  std::vector<published> records;
  std::vector<timer_change> timers;
  std::vector<row_block> blocks;
  std::optional<nlohmann::json> answer;
  bool read_only = false;
};

/// Where a message came from and when: time is input.
struct context {
  const entity_id& self;
  time_point now;
};

/// The pure core of one entity behind a uniform face: no I/O, no clock, no CAF. It may throw only
/// on a defect; bad input is refused in the answer or counted.
class entity {
 public:
  virtual ~entity() = default;

  /// Restores what `save` wrote with schema number `schema` (older ones are upgraded). Throws
  /// bad_state.
  virtual void load(std::string_view state, int schema) = 0;
  /// The whole state as JSON text.
  virtual std::string save() const = 0;

  /// Handles one message.
  virtual void handle(const message& what, const context& where, effects& out);
  /// Log-fed kinds: folds the events from `done` on, in order. `done` counts the events that are
  /// finished, so that the culprit is known when one throws.
  virtual void absorb(const event_batch& events, std::size_t& done, effects& out);
};

/// An entity kind as the runtime sees it.
struct kind_def {
  std::string name;
  int schema = 1;
  /// Fed by a log instead of by messages: its state is a pure function of its partition, saved at
  /// checkpoints.
  bool log_fed = false;
  std::function<std::unique_ptr<entity>(const entity_id&)> make;
};

}  // namespace troupe
