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

/// Place of a resident entity in its shard host.
using slot_id = strong_id<struct slot_id_tag, std::uint32_t>;

/// A follower's cursor in the log of an entity that it follows.
struct followed {
  entity_id of;   // Of a log-fed kind. Need not exist yet.
  position next;  // First offset not yet seen; `feed_from_now`: whatever comes from now on.
};
inline constexpr position feed_from_now{-1};

/// The next stretch of a followed entity's log, for one follower.
struct feed_span {
  const entity_id& of;
  const event_batch* events;  // Null: nothing happened in this stretch.
  std::size_t end;            // Events from here on are not part of it.
  position next;              // The cursor when all of it is done.
  /// Records of the partition that the log lost before they could be read: what went before this
  /// stretch may be missing.
  std::int64_t missing = 0;
};

/// Key and payload of a record that Kafka takes by default (`message.max.bytes` of a producer is
/// 1,000,000), headers and framing left out.
inline constexpr std::size_t published_bytes_max = 990'000;

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
  struct called {
    std::string service;
    std::string id;
    nlohmann::json request;
  };

  /// Sends to another entity: inside the shard at once, elsewhere exactly once after the commit.
  void tell(entity_id to, message what) { tells.push_back({std::move(to), std::move(what)}); }
  /// Appends a record to an egress topic of the catalog. Throws std::length_error beyond
  /// `published_bytes_max`: a record that Kafka never takes would hold up all after it.
  void publish(std::string_view topic, std::string key, std::string payload);
  /// Asks a service outside of the cluster (service_port), after the commit. Its answer comes as
  /// the message `call_answered` `{service, id, answer}`. Call or answer get lost with the shard:
  /// who must know sets a timer that calls again.
  void call(std::string_view service, std::string id, nlohmann::json request) {
    calls.push_back({std::string(service), std::move(id), std::move(request)});
  }
  /// Answers the request that caused this unit; the first answer of a unit counts.
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

  /// A feed changed what is followed (not just how far): `follows` is asked at once.
  void follows_changed() { ask_follows = true; }

  /// Something that must not wait: it leaves the entity.
  bool leaves_entity() const {
    return !tells.empty() || !records.empty() || !timers.empty() || !blocks.empty() ||
           !calls.empty() || answer.has_value();
  }
  /// Records wait to go out; rows alone can wait for the next checkpoint.
  bool has_output() const { return !records.empty(); }

  std::vector<told> tells;
  std::vector<published> records;
  std::vector<timer_change> timers;
  std::vector<row_block> blocks;
  std::vector<called> calls;
  std::optional<nlohmann::json> answer;
  bool read_only = false;
  bool ask_follows = false;
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

  /// Kinds that follow: what the state says that it follows, each entity once, with its cursors.
  /// Asked after loading, after every message, and when a stretch was not finished.
  virtual std::vector<followed> follows() const { return {}; }
  /// Kinds that follow: takes the events [done, what.end) in order, and moves its cursor: to
  /// `what.next` when it is through, else behind the last event that it took. It may stop early,
  /// `done` tells where: the rest is offered again after its next message or event of another feed.
  /// What has no effects but the state is committed later, with whatever comes next.
  virtual void absorb_feed(const feed_span& what, std::size_t& done, const context& where,
                           effects& out);
};

/// An input that is set aside because an entity has failed on it again and again.
struct failed_input {
  const entity_id& of;        // The entity that failed.
  const std::string& source;  // As in `troupe quarantine list`.
  std::int64_t place = 0;     // 0 where the key alone names it.
  const std::string& key;
  const std::string& reason;
};

/// An entity kind as the runtime sees it.
struct kind_def {
  std::string name;
  int schema = 1;
  /// Fed by a log instead of by messages: its state is a pure function of its partition, saved at
  /// checkpoints.
  bool log_fed = false;
  std::function<std::unique_ptr<entity>(const entity_id&)> make;
  /// Follows log-fed entities; not for log-fed kinds themselves.
  bool follows = false;
  /// Whom to tell when an input of such an entity is set aside, by the same commit; only `tell`
  /// counts. Nothing: nobody. Not for log-fed kinds.
  std::function<void(const failed_input&, effects&)> when_quarantined = {};
};

}  // namespace troupe
