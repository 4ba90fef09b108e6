#pragma once

#include <optional>
#include <vector>

#include "runtime/store/pg_connection.hpp"
#include "runtime/store/shard_store.hpp"

/// The statements of ownership and recovery; on a store thread's connection.
namespace troupe::store {

/// Raises the epoch for a new owner. Waits for a commit of the old one that is under way; later
/// ones are fenced. `fenced`: another incarnation owns it and lives, or `owner` itself has no valid
/// lease, or no such shard.
commit_outcome take_shard(pg_connection& db, shard_id shard, incarnation owner, epoch& era);

/// Makes the shard ownerless, and raises the epoch so that nothing of the old owner can follow.
void release_shard(pg_connection& db, shard_id shard, epoch era);

/// Nothing if the database is out of reach; so below.
std::optional<shard_image> read_image(pg_connection& db, shard_id shard);
std::optional<std::vector<entity_row>> read_entities(pg_connection& db, shard_id shard,
                                                     const std::vector<entity_id>& ids);
std::optional<std::optional<std::string>> read_answer(pg_connection& db, shard_id shard,
                                                      const std::string& request);

}  // namespace troupe::store
