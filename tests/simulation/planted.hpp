#pragma once

#include <array>
#include <cstdint>

namespace troupe::simulation {

/// Mistakes that the simulation must find when they are planted. Each lives in the simulated world,
/// at the place where the real one would make it; the product's code runs as it is.
enum class planted : std::uint8_t {
  nothing,
  // Ownership
  plain_fence,    // A commit looks at the epoch and writes later, without holding the row.
  owner_ignored,  // A shard is taken although its living owner has not released it.
  no_reclaim,     // Who has a shard but is not to have it cannot take it again to release it.
  same_epoch,     // Who takes a shard that it already has keeps its epoch.
  // Commits
  unknown_is_success,  // A commit whose outcome is unknown counts as done.
  unknown_is_retried,  // Such a commit counts as failed: the same batch is sent again.
  answer_too_early,    // A client is answered when the commit is sent.
  read_unfenced,       // A read is answered without asking whether the epoch still holds.
  request_forgotten,   // Remembered answers are not looked up.
  // Channels
  sent_too_early,          // A message to another shard leaves before its commit.
  channel_not_committed,   // The position of a channel is left out of the commit.
  acknowledged_too_early,  // A message is acknowledged when it comes in.
  never_resent,            // A message to another shard is sent once.
  outbox_not_restored,     // A new owner does not read the outbox.
  sequences_not_restored,  // A new owner numbers its messages from 1 again.
};

struct planted_name {
  planted bug;
  const char* name;
};

inline constexpr std::array planted_bugs{
    planted_name{planted::plain_fence, "plain_fence"},
    planted_name{planted::owner_ignored, "owner_ignored"},
    planted_name{planted::no_reclaim, "no_reclaim"},
    planted_name{planted::same_epoch, "same_epoch"},
    planted_name{planted::unknown_is_success, "unknown_is_success"},
    planted_name{planted::unknown_is_retried, "unknown_is_retried"},
    planted_name{planted::answer_too_early, "answer_too_early"},
    planted_name{planted::read_unfenced, "read_unfenced"},
    planted_name{planted::request_forgotten, "request_forgotten"},
    planted_name{planted::sent_too_early, "sent_too_early"},
    planted_name{planted::channel_not_committed, "channel_not_committed"},
    planted_name{planted::acknowledged_too_early, "acknowledged_too_early"},
    planted_name{planted::never_resent, "never_resent"},
    planted_name{planted::outbox_not_restored, "outbox_not_restored"},
    planted_name{planted::sequences_not_restored, "sequences_not_restored"},
};

}  // namespace troupe::simulation
