#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/store/store_error.hpp"

namespace troupe::store {

/// One numbered step of the schema: `runtime/0001_tables`. Once released its text never changes.
struct migration {
  std::string_view name;
  std::string_view sql;
};

/// The runtime's own tables; domains bring lists of their own.
std::span<const migration> runtime_migrations();

/// Applies those of `wanted` that are missing, in order, each in a transaction of its own under one
/// advisory lock; any number of runners may do so at once. Returns the names applied by this call.
/// Throws `refused` when an applied migration has another text, when the database has one that
/// `wanted` has not (the database is newer than this binary), or when a migration fails. Throws
/// `unavailable_error` when out of reach.
std::vector<std::string> migrate(const std::string& dsn, std::span<const migration> wanted);

/// Same checks, nothing is changed. Returns the names that are missing.
std::vector<std::string> missing_migrations(const std::string& dsn,
                                            std::span<const migration> wanted);

/// Settings that are fixed when a cluster is made.
struct cluster_settings {
  std::string name;
  std::uint32_t shard_count = 64;
};

/// Makes the database that of this cluster, with its shards, or checks that it is. Any number may
/// call it at once. Throws `refused` naming the setting that differs, or `unavailable_error`.
void claim_cluster(const std::string& dsn, const cluster_settings& settings);

}  // namespace troupe::store
