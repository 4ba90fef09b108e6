#pragma once

#include <caf/all.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/entity/shard_machine.hpp"
#include "runtime/store/cluster_store.hpp"

// Messages between the actors of one process; none of them crosses the wire.
namespace troupe {

// To an entity.
struct absorb_events {
  event_batch_ptr events;
  record_batch_ptr from;
};
struct handle_message {
  std::shared_ptr<message> what;
  time_point now;
};
struct feed_entity {
  feed_follower::delivery what;
  time_point now;
};
struct save_entity {
  std::uint64_t ticket;
};

// From an entity to its shard host.
struct message_handled {
  slot_id slot;
  std::shared_ptr<effects> done;
  shard_machine::follows_now follows;
};
struct feed_taken {
  slot_id slot;
  std::size_t done;
  std::shared_ptr<effects> decided;
  shard_machine::follows_now follows;
};
struct follows_known {
  slot_id slot;
  std::vector<followed> follows;
};
struct state_saved {
  slot_id slot;
  std::uint64_t ticket;
  std::shared_ptr<std::string> state;
  std::shared_ptr<effects> output;
};
struct output_waiting {
  slot_id slot;
};
struct entity_failed {
  slot_id slot;
  entity_task doing;
  std::string reason;
  std::optional<position> event;
};

// To a shard host.
struct records_arrived {
  record_batch_ptr batch;
};
struct shard_call {
  std::shared_ptr<std::function<void(shard_machine&)>> call;
};                       // An answer of store or bridge.
struct progress_due {};  // Of status, which must not wait for the next thing to happen.
struct wake_up {
  time_point wished;
};
struct ask_entity {
  entity_id to;
  std::shared_ptr<message> what;
  std::string request;
};  // Answered with JSON text.
struct show_entity {
  entity_id of;
};  // Answered with JSON text.
struct channel_message {
  shard_id source;
  sequence seq;
  entity_id to;
  std::shared_ptr<message> what;
};
struct channel_acknowledged {
  std::string target;
  sequence up_to;
};

struct feed_asked {
  feed_request what;
};
struct feed_arrived {
  std::shared_ptr<const feed_packet> what;
};
struct feed_bytes {  // A packet from another node.
  std::string text;
};
struct source_live {
  shard_id shard;
};

// To the member actor, from its threads.
struct view_read {
  std::shared_ptr<std::optional<store::cluster_view>> view;
};
struct lead_answered {
  store::cluster_store::led led;
  std::shared_ptr<store::cluster_decision> what;
};
struct order_carried_out {
  std::shared_ptr<caf::response_promise> to;  // Null: nobody waits for it.
  std::string verb;
  store::cluster_store::written what;
};
struct peer_dialed {
  incarnation life;
  caf::actor root;  // Null: it did not answer.
};

struct peer_heard {
  incarnation life;
};

// To the supervisor.
struct shard_failed {
  shard_id shard;
  epoch era;  // As it was taken; 0: it was not.
  shard_failure why;
};

}  // namespace troupe

// clang-format off
#define TROUPE_LOCAL_MESSAGES(X)                                                          \
  X(absorb_events) X(handle_message) X(feed_entity) X(save_entity)                        \
  X(feed_taken) X(follows_known) X(feed_asked) X(feed_arrived) X(feed_bytes)              \
  X(source_live)                                                                          \
  X(message_handled) X(state_saved) X(output_waiting) X(entity_failed)                    \
  X(records_arrived) X(shard_call) X(progress_due) X(wake_up) X(ask_entity)              \
  X(show_entity)                                                                          \
  X(channel_message) X(channel_acknowledged) X(shard_failed)               \
  X(view_read) X(lead_answered) X(peer_dialed) X(peer_heard)           \
  X(order_carried_out)

CAF_BEGIN_TYPE_ID_BLOCK(troupe, caf::first_custom_type_id)
#define TROUPE_ADD(name) CAF_ADD_TYPE_ID(troupe, (troupe::name))
TROUPE_LOCAL_MESSAGES(TROUPE_ADD)
#undef TROUPE_ADD
CAF_ADD_ATOM(troupe, troupe, admin_atom, "admin")
CAF_ADD_ATOM(troupe, troupe, restart_atom, "restart")
CAF_ADD_ATOM(troupe, troupe, stop_atom, "stop")
CAF_ADD_ATOM(troupe, troupe, lease_atom, "lease")
CAF_ADD_ATOM(troupe, troupe, host_atom, "host")
CAF_ADD_ATOM(troupe, troupe, hand_over_atom, "hand_over")
CAF_ADD_ATOM(troupe, troupe, live_atom, "live")
CAF_ADD_ATOM(troupe, troupe, released_atom, "released")
CAF_ADD_ATOM(troupe, troupe, lost_atom, "lost")
CAF_ADD_ATOM(troupe, troupe, drain_atom, "drain")
CAF_ADD_ATOM(troupe, troupe, member_atom, "member")
CAF_ADD_ATOM(troupe, troupe, hello_atom, "hello")
CAF_ADD_ATOM(troupe, troupe, look_atom, "look")
CAF_ADD_ATOM(troupe, troupe, order_atom, "order")
CAF_ADD_ATOM(troupe, troupe, tick_atom, "tick")
CAF_ADD_ATOM(troupe, troupe, supervisor_atom, "superv")
CAF_ADD_ATOM(troupe, troupe, channel_atom, "channel")
CAF_ADD_ATOM(troupe, troupe, received_atom, "received")
CAF_ADD_ATOM(troupe, troupe, feed_atom, "feed")
CAF_ADD_ATOM(troupe, troupe, follow_atom, "follow")
CAF_ADD_ATOM(troupe, troupe, source_atom, "source")
CAF_END_TYPE_ID_BLOCK(troupe)
#define TROUPE_UNSAFE(name) CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::name)
TROUPE_LOCAL_MESSAGES(TROUPE_UNSAFE)
#undef TROUPE_UNSAFE
// clang-format on
