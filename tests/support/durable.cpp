#include "tests/support/durable.hpp"

#include <set>

#include "runtime/base/ensure.hpp"

namespace troupe::test {

store::commit_outcome durable::apply(const store::commit_batch& batch) {
  if (batch.era != era) return store::commit_outcome::fenced;
  for (const auto& [topic, at] : batch.positions) {
    ensure(positions[topic] <= at, "positions never go back");
    positions[topic] = at;
  }
  std::set<entity_id> seen;
  for (const auto& row : batch.entities) {
    ensure(seen.insert(row.id).second, "one row an entity");
    entities[row.id] = row;
  }
  for (const auto& row : batch.outbox) {
    ensure(row.seq.value() == sequences[row.target].value() + 1, "sequences have no gaps");
    ensure(row.key.find('\0') == std::string::npos, "PostgreSQL stores no NUL");
    sequences[row.target] = row.seq;
    outbox[row.target][row.seq] = row;
  }
  for (const auto& range : batch.delivered)
    std::erase_if(outbox[range.target],
                  [&](const auto& entry) { return entry.first <= range.up_to; });
  for (const auto& row : batch.timers_set) timers[{row.owner, row.name}] = row;
  for (const auto& key : batch.timers_cleared) timers.erase(key);
  for (const auto& row : batch.answers)
    ensure(answers.emplace(row.request, row.answer).second, "one answer a request");
  for (const auto& [source, seq] : batch.channels) {
    ensure(channels[source] < seq, "channel positions grow");
    channels[source] = seq;
  }
  for (const auto& row : batch.quarantined) quarantined.push_back(row);
  for (const auto& block : batch.rows)
    for (const auto& cell : block.column(0)) rows.push_back(std::get<std::int64_t>(cell));
  return store::commit_outcome::committed;
}

store::taken_shard durable::take() {
  era = epoch(era.value() + 1);
  store::taken_shard taken{era, {positions, sequences, {}, {}, channels, {}}};
  for (const auto& [target, lane] : outbox)
    for (const auto& [seq, row] : lane) taken.image.outbox.push_back(row);
  for (const auto& [key, row] : timers) taken.image.timers.push_back(row);
  for (const auto& [id, row] : entities)
    if (row.follows) taken.image.following.push_back(id);
  return taken;
}

}  // namespace troupe::test
