#pragma once

#include <map>
#include <string>
#include <vector>

#include "runtime/store/pg_connection.hpp"
#include "runtime/store/shard_store.hpp"

namespace troupe::store {

/// Which parts of a batch are used: one bit a runtime table, then one a result table.
using part_mask = std::uint64_t;

/// Turns commit batches into one statement each. The statement depends only on which parts are
/// used, so that it is prepared once; every part is written only if the shard still has the batch's
/// epoch, whose row stays locked (FOR SHARE) until the commit, so that a takeover waits for it. The
/// result is one row with one number: 1 committed, 0 fenced.
class commit_statement {
 public:
  /// `tables`: all result tables that batches may hold; at most 48.
  explicit commit_statement(std::vector<const table_def*> tables);

  struct encoded {
    part_mask used = 0;
    binary_parameters parameters;
  };
  /// Throws broken_invariant for rows of a table that was not named at construction.
  encoded encode(const commit_batch& batch) const;

  struct text {
    std::string name;
    std::string sql;
  };
  const text& statement(part_mask used);

  /// The mask of the runtime's own parts, and of one result table alone.
  part_mask runtime_parts() const;
  part_mask table_part(std::size_t table) const;

 private:
  std::size_t index_of(const table_def& table) const;

  const std::vector<const table_def*> tables_;
  std::map<part_mask, text> texts_;
};

}  // namespace troupe::store
