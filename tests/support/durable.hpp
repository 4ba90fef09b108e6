#pragma once

#include <map>
#include <string>
#include <vector>

#include "runtime/store/shard_store.hpp"

namespace troupe::test {

/// What survives a crash: one shard's rows in the database, and the logs on both sides. Applies
/// commits as the real store does: all or nothing, only for the current epoch.
struct durable {
  epoch era{0};
  std::map<std::string, position> positions;
  std::map<entity_id, store::entity_row> entities;
  std::map<std::string, std::map<sequence, store::outbox_row>> outbox;
  std::map<std::string, sequence> sequences;
  std::map<store::timer_key, store::timer_row> timers;
  std::map<std::string, std::string> answers;
  std::map<shard_id, sequence> channels;
  std::vector<store::quarantine_row> quarantined;
  std::vector<std::int64_t> rows;  // First column of every result row.
  std::map<std::string, std::vector<std::string>>
      in;                                     // Ingress topic to payloads; the index is the offset.
  std::map<std::string, position> truncated;  // First offset that the topic still has.
  std::map<std::string, std::vector<std::pair<sequence, std::string>>>
      out;  // Egress topic to (seq, payload).

  store::commit_outcome apply(const store::commit_batch& batch);
  store::taken_shard take();
};

}  // namespace troupe::test
