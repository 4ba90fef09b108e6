#pragma once

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "runtime/entity/entity.hpp"
#include "runtime/entity/shard_world.hpp"

namespace troupe {

/// What has happened since the last batch was closed: becomes one commit.
struct open_batch {
  struct held_answer {
    request_ref to;
    nlohmann::json what;
  };
  std::set<slot_id> touched;  // Unit plane: whose state the units changed.
  std::vector<effects::published> records;
  std::vector<std::pair<shard_id, effects::told>> cross_shard;
  std::map<store::timer_key, std::optional<store::timer_row>>
      timers;  // Last wish wins; nothing: clear.
  std::vector<store::answer_row> answers;
  std::vector<held_answer> replies;                          // Let go when the commit is durable.
  std::vector<std::pair<entity_id, effects::called>> calls;  // Made when the commit is durable.
  std::map<shard_id, sequence> channels;
  std::vector<row_block> blocks;
  std::vector<store::quarantine_row> quarantined;
  std::multimap<slot_id, request_ref> shows;  // Who wants to see which entity's committed state.
  bool advanced = false;                      // A unit moved a position.
  std::size_t units = 0;
  time_point since{};  // When the first of them began.

  /// Something that should be committed without waiting for the checkpoint.
  bool urgent() const {
    return !touched.empty() || !records.empty() || !cross_shard.empty() || !timers.empty() ||
           !answers.empty() || !replies.empty() || !channels.empty() || !blocks.empty() ||
           !quarantined.empty() || !calls.empty() || !shows.empty() || advanced;
  }
};

/// A batch that takes no more effects: first the states of its entities come in, then it is
/// committed.
struct closing_batch {
  open_batch content;
  store::commit_batch commit;
  std::set<slot_id> written;    // Whose state goes into the commit.
  std::set<slot_id> awaited;    // Saves not yet answered.
  std::set<slot_id> following;  // Those of `awaited` that follow others.
  std::vector<store::outbox_row>
      outbox;  // What the commit makes durable, to be handed out afterwards.
  std::map<std::string, position> positions;
  std::vector<std::string> answered;  // Requests whose answers the commit makes durable.
  std::uint64_t ticket = 0;
  bool checkpoint = false;
  bool sent = false;
};

/// Adds rows to the block of their table.
void add_blocks(std::vector<row_block>& to, std::vector<row_block>&& blocks);

}  // namespace troupe
