#include "tests/simulation/invariants.hpp"

#include <nlohmann/json.hpp>

#include "runtime/entity/outbox.hpp"
#include "runtime/entity/remembered.hpp"

namespace troupe::simulation {

namespace {

using nlohmann::json;

std::int64_t amount_of(const store::outbox_row& row) {
  return json::parse(row.payload).at("body").at("amount").get<std::int64_t>();
}

std::int64_t balance_of(const store::outbox_row& record) {
  return json::parse(record.payload).at("balance").get<std::int64_t>();
}

invariants::account account_of(const std::string& state) {
  const auto stored = json::parse(state);
  return {stored.at("balance"), stored.at("bonuses")};
}

bool is_channel(const std::string& target) {
  return target.starts_with("shard:");
}

shard_id receiver(const std::string& target) {
  return shard_id(static_cast<std::uint32_t>(std::stoul(target.substr(6))));
}

std::string text(shard_id shard) {
  return "shard " + std::to_string(shard.value());
}

}  // namespace

void invariants::open_account(shard_id shard, const entity_id& id) {
  shards_[shard.value()].entities[id] = {id, 1,
                                         json{{"balance", opening_balance}, {"bonuses", 0}}.dump()};
  accounts_[id] = {opening_balance, 0};
  history_[id] = {{time_.now(), opening_balance}};
}

void invariants::before_commit(const store::commit_batch& batch) {
  std::int64_t change = -taken_from_channels(batch);
  check_given_up(batch);
  for (const auto& row : batch.outbox) {
    if (is_channel(row.target)) {
      change += amount_of(row);
      places_[amount_of(row)] = {batch.shard, row.seq};
    } else {  // Every change of a balance is told: between two of them within a commit it was so.
      history_[{"savings", row.key}].push_back({time_.now(), balance_of(row)});
    }
  }
  for (const auto& row : batch.entities) {
    const auto now = account_of(row.state);
    auto& known = accounts_.at(row.id);
    change += now.balance - known.balance - bonus * (now.bonuses - known.bonuses);
    known = now;
    if (history_[row.id].back().balance != now.balance)
      throw broken("records: " + to_string(row.id) + " does not tell its balance");
  }
  if (change != 0)
    throw broken("money: a commit of " + text(batch.shard) + " changes the sum by " +
                 std::to_string(change));
}

/// What the batch applies must have been committed by its source.
std::int64_t invariants::taken_from_channels(const store::commit_batch& batch) const {
  std::int64_t sum = 0;
  const auto& applied = shards_[batch.shard.value()].channels;
  for (const auto& [source, up_to] : batch.channels) {
    const auto last = applied.find(source);
    const auto& sent = shards_[source.value()].outbox;
    const auto lane = sent.find(shard_target(batch.shard));
    for (auto seq = last == applied.end() ? 1 : last->second.value() + 1; seq <= up_to.value();
         ++seq) {
      if (lane == sent.end() || !lane->second.contains(sequence(seq)))
        throw broken("channel: " + text(batch.shard) + " applies message " + std::to_string(seq) +
                     " of " + text(source) + ", which does not have it in its outbox");
      sum += amount_of(lane->second.at(sequence(seq)));
    }
  }
  return sum;
}

void invariants::check_given_up(const store::commit_batch& batch) const {
  for (const auto& range : batch.delivered) {
    if (!is_channel(range.target)) continue;
    const auto& applied = shards_[receiver(range.target).value()].channels;
    const auto last = applied.find(batch.shard);
    if (last == applied.end() || last->second < range.up_to)
      throw broken("channel: " + text(batch.shard) + " gives up message " +
                   std::to_string(range.up_to.value()) + " for " + range.target +
                   ", which has not applied it");
  }
}

void invariants::record_out(shard_id shard, const store::outbox_row& row) {
  auto& disk = shards_[shard.value()];
  auto& log = disk.out[row.target.substr(6)];
  const auto next = log.empty() ? 1 : log.back().first.value() + 1;
  if (row.seq.value() < next) return;  // A double: the reader passes over it.
  if (row.seq.value() > next)
    throw broken("records: " + text(shard) + " sends " + row.target + ' ' +
                 std::to_string(row.seq.value()) + " where " + std::to_string(next) + " is next");
  const auto lane = disk.outbox.find(row.target);
  if (lane == disk.outbox.end() || !lane->second.contains(row.seq) ||
      lane->second.at(row.seq).payload != row.payload)
    throw broken("records: " + text(shard) + " sends what it has not committed");
  log.emplace_back(row.seq, row.payload);
}

void invariants::answered(shard_id shard, const std::string& request, const std::string& answer) {
  const auto& stored = shards_[shard.value()].answers;
  const auto it = stored.find(request);
  if (it == stored.end() || remembered::of_text(it->second).answer.dump() != answer)
    throw broken("answers: request " + request + " is answered " + answer + ", durable is " +
                 (it == stored.end() ? "nothing" : it->second));
  given_[request] = {shard, answer};
}

void invariants::read(const entity_id& id, std::int64_t balance, steady_time asked) const {
  const auto& history = history_.at(id);
  for (auto m = history.rbegin(); m != history.rend(); ++m) {
    if (m->balance == balance) return;
    if (m->since <= asked) break;
  }
  throw broken("answers: " + to_string(id) + " is said to hold " + std::to_string(balance) +
               ", which it did not at any moment since the question; it has " +
               std::to_string(history.back().balance));
}

invariants::place invariants::channel_of(std::int64_t amount) const {
  const auto it = places_.find(amount);
  return it == places_.end() ? place{} : it->second;
}

void invariants::at_rest(const std::map<entity_id, account>& expected) const {
  for (const auto& shard : shards_)
    for (const auto& [id, row] : shard.entities)
      if (const auto now = account_of(row.state); now != expected.at(id))
        throw broken("answers: " + to_string(id) + " has " + row.state + " where balance " +
                     std::to_string(expected.at(id).balance) + " and bonuses " +
                     std::to_string(expected.at(id).bonuses) + " follow from the answers");
  for (const auto& [request, given] : given_)
    if (const auto& stored = shards_[given.first.value()].answers;
        !stored.contains(request) ||
        remembered::of_text(stored.at(request)).answer.dump() != given.second)
      throw broken("answers: the answer to request " + request + " is gone");
}

}  // namespace troupe::simulation
