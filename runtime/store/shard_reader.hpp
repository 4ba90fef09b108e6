#pragma once

#include <map>
#include <optional>
#include <vector>

#include "runtime/store/pg_connection.hpp"
#include "runtime/store/shard_store.hpp"

/// The statements of ownership and recovery; on a store thread's connection.
namespace troupe::store {

/// Raises the epochs for a new owner, all in one statement. Waits for commits of old owners that
/// are under way; later ones are fenced. Those are missing that another incarnation owns and lives,
/// or that do not exist; all if `owner` itself has no valid lease. Nothing if the database is out
/// of reach; so below.
std::optional<std::map<shard_id, epoch>> take_shards(pg_connection& db,
                                                     const std::vector<shard_id>& shards,
                                                     incarnation owner);

/// Makes the shard ownerless, and raises the epoch so that nothing of the old owner can follow.
void release_shard(pg_connection& db, shard_id shard, epoch era);

/// One image a shard.
std::optional<std::map<shard_id, shard_image>> read_images(pg_connection& db,
                                                           const std::vector<shard_id>& shards);
std::optional<std::vector<entity_row>> read_entities(pg_connection& db, shard_id shard,
                                                     const std::vector<entity_id>& ids);
std::optional<std::optional<std::string>> read_answer(pg_connection& db, shard_id shard,
                                                      const std::string& request);

}  // namespace troupe::store
