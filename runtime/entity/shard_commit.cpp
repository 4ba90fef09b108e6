// The commits of a shard: what both planes have done since the last one becomes one transaction.
#include <algorithm>

#include "runtime/base/ensure.hpp"
#include "runtime/base/log.hpp"
#include "runtime/entity/shard_machine.hpp"

namespace troupe {

/// Records of the log plane that are in no batch yet.
std::int64_t shard_machine::uncommitted_records() const {
  std::int64_t sum = 0;
  for (const auto& log : logs_)
    if (log.log_fed) sum += log.taken - log.closing;
  return sum;
}

bool shard_machine::checkpoint_due() const {
  std::int64_t lag = 0;
  for (const auto& log : logs_) lag += std::max<std::int64_t>(0, log.end - log.next.value());
  const auto uncommitted = uncommitted_records();
  if (checkpoint_now_) return true;
  if (uncommitted == 0 && changed_.empty() && !outbox_.has_delivered()) return false;
  const auto& limits = setup_.limits;
  const auto since = world_.now() - last_checkpoint_;
  if (since >= limits.checkpoint_interval || uncommitted >= limits.uncommitted_records_max)
    return true;
  if (!output_waiting_ || lag > limits.catch_up_records) return false;
  if (since >= limits.output_delay) return true;
  world_.wake_at(last_checkpoint_ + limits.output_delay);
  return false;
}

void shard_machine::maybe_commit() {
  if (phase_ != phase::live || closing_ || running_ || loading_ > 0 || doubt_) return;
  if (std::ranges::any_of(open_.shows, [&](const auto& s) { return residents_[s.first].changed; }))
    checkpoint_now_ = true;
  const bool checkpoint = checkpoint_due();
  if (!checkpoint && !open_.urgent()) {
    if (inbox_.empty() && changed_.empty() && uncommitted_records() == 0) {
      open_since_ = {};  // All that came has come to nothing.
      open_.units = 0;
    }
    return;
  }
  closing_.emplace();
  closing_->checkpoint = checkpoint;
  close_batch();
  run_units();
}

void shard_machine::close_batch() {
  auto& closing = *closing_;
  closing.content = std::exchange(open_, {});
  closing.ticket = ++tickets_;
  closing.commit.shard = id_;
  closing.commit.era = era_;
  closing.commit.delivered = outbox_.take_delivered();
  closing.written = closing.content.touched;
  for (const auto slot : closing.written)
    if (std::exchange(residents_[slot].changed, false)) std::erase(changed_, slot);
  if (closing.checkpoint) close_checkpoint();
  if (changed_.empty())
    closing_since_ = std::exchange(open_since_, inbox_.empty() ? time_point{} : world_.now());
  for (std::size_t i = 0; i < logs_.size(); ++i) {
    auto& log = logs_[i];
    if (log.log_fed && !closing.checkpoint) continue;
    const auto at = log.log_fed ? log.next : log.applied;
    const auto& topic = setup_.things.ingress[i].topic;
    log.closing = log.taken;
    const auto known = progress_.positions.find(topic);
    if (known == progress_.positions.end() ? at.value() != 0 : known->second != at)
      closing.commit.positions[topic] = at;
  }
  for (const auto slot : closing.written) await_save(slot);
  const auto& shows = closing.content.shows;
  for (auto it = shows.begin(); it != shows.end(); it = shows.upper_bound(it->first)) {
    const bool exists = residents_[it->first].stored || closing.written.contains(it->first);
    if (exists)
      await_save(it->first);
    else
      show(it->first, {});  // What never was is not asked for its state: it may have none.
  }
  if (closing.awaited.empty()) send_batch();
}

void shard_machine::close_checkpoint() {
  auto& closing = *closing_;
  for (const auto slot : changed_) {
    residents_[slot].changed = false;
    closing.written.insert(slot);
  }
  changed_.clear();
  auto& content = closing.content;
  std::ranges::move(log_open_.records, std::back_inserter(content.records));
  std::ranges::move(log_open_.quarantined, std::back_inserter(content.quarantined));
  log_open_ = {};
  last_checkpoint_ = world_.now();
  output_waiting_ = checkpoint_now_ = false;
}

void shard_machine::await_save(slot_id slot) {
  if (!closing_->awaited.insert(slot).second) return;
  ++residents_[slot].busy;
  if (follower_.follows(slot)) closing_->following.insert(slot);
  world_.save(slot, closing_->ticket);
}

void shard_machine::on_saved(slot_id slot, std::uint64_t ticket, std::string state,
                             effects output) {
  if (phase_ != phase::live) return;
  ensure(closing_ && closing_->ticket == ticket && closing_->awaited.erase(slot) == 1,
         "a save belongs to the open commit");
  auto& closing = *closing_;
  auto& e = residents_[slot];
  --e.busy;
  std::ranges::move(output.records, std::back_inserter(closing.content.records));
  add_blocks(closing.content.blocks, std::move(output.blocks));
  const bool written = closing.written.contains(slot);
  if (written) {
    e.stored = true;
    e.saved = world_.now();  // By the time anybody hears of it, it is committed.
  }
  show(slot, state);
  if (written)
    closing.commit.entities.push_back(
        {e.id, e.kind->schema, std::move(state), closing.following.contains(slot)});
  if (closing.awaited.empty() && !doubt_) send_batch();
}

/// Answers those who asked to see this entity, once the commit is durable.
void shard_machine::show(slot_id slot, const std::string& state) {
  const auto& e = residents_[slot];
  const auto [first, last] = closing_->content.shows.equal_range(slot);
  for (auto it = first; it != last; ++it) {
    nlohmann::json answer{
        {"entity", to_string(e.id)}, {"shard", id_.value()}, {"epoch", era_.value()}};
    if (e.stored) {
      answer["committed_us"] = to_micros(e.saved);
      answer["state"] = nlohmann::json::parse(state);
    } else {
      answer["error"] = "unknown_entity";
    }
    if (follower_.follows(slot)) answer["follows"] = feeds_of(slot);
    closing_->content.replies.push_back({it->second, std::move(answer)});
  }
}

void shard_machine::send_batch() {
  auto& closing = *closing_;
  auto& content = closing.content;
  auto& commit = closing.commit;
  for (auto& record : content.records) {
    auto target = topic_target(record.topic);
    const auto seq = outbox_.number(target);
    commit.outbox.push_back(
        {std::move(target), seq, std::move(record.key), std::move(record.payload)});
  }
  for (auto& [shard, told] : content.cross_shard) {
    auto target = shard_target(shard);
    const auto seq = outbox_.number(target);
    commit.outbox.push_back(
        {std::move(target), seq, to_string(told.to),
         nlohmann::json{{"type", told.what.type}, {"body", told.what.body}}.dump()});
  }
  for (auto& [key, row] : content.timers) {
    if (row)
      commit.timers_set.push_back(std::move(*row));
    else
      commit.timers_cleared.push_back(key);
  }
  for (const auto& a : content.answers) closing.answered.push_back(a.request);
  commit.answers = std::move(content.answers);
  commit.channels = content.channels;
  commit.rows = std::move(content.blocks);
  commit.quarantined = std::move(content.quarantined);
  closing.outbox = commit.outbox;
  for (const auto& block : commit.rows)
    progress_.rows[std::string(block.table().name)] += static_cast<std::int64_t>(block.rows());
  closing.positions = commit.positions;
  closing.sent = true;
  // An answer needs the fence even when there is nothing to write: an owner that was paused and
  // replaced must not answer with what used to be true.
  if (commit.empty() && content.replies.empty())
    return on_committed(store::commit_outcome::committed);
  world_.commit(std::move(commit));
}

void shard_machine::on_committed(store::commit_outcome outcome) {
  if (phase_ != phase::live && phase_ != phase::opening) return;
  using enum store::commit_outcome;
  const bool batch = closing_ && closing_->sent;
  if (doubt_ && !batch && outcome == committed) return fail(std::move(*doubt_));
  ensure(batch || doubt_, "a commit was under way");
  if (outcome != committed) {
    static constexpr const char* names[] = {
        "", "another epoch owns the shard", "the connection was lost while committing",
        "the store is out of reach", "the store refused the content"};
    // Content that the store refuses would be refused again: that counts as a defect.
    const auto kind = outcome == fenced     ? shard_failure::kind::fenced
                      : outcome == rejected ? shard_failure::kind::defect
                                            : shard_failure::kind::store;
    return fail({kind, names[static_cast<std::size_t>(outcome)], {}, {}});
  }
  auto done = std::move(*closing_);
  closing_.reset();
  closing_since_ = {};
  ++progress_.commits;
  for (const auto& [topic, at] : done.positions) progress_.positions[topic] = at;
  for (auto& log : logs_) log.committed = log.closing;
  for (const auto& [source, seq] : done.content.channels) {
    channels_committed_[source] = seq;
    world_.acknowledge_channel(source, seq);
  }
  answers_.stored(std::move(done.answered), enqueued_);
  outbox_.committed(std::move(done.outbox));
  if (outbox_.undelivered() > 0 && undelivered_since_ == time_point{})
    undelivered_since_ = world_.now();
  hand_out();
  release_answers(done.content);
  hold_back_if_full();
  run_units();
  forget_answers();
  maybe_commit();
  drain_further();
}

void shard_machine::forget_answers() {
  answers_.forget(inbox_.empty() ? enqueued_ + 1 : inbox_.front().serial);
}

void shard_machine::release_answers(open_batch& batch) {
  for (auto& reply : batch.replies) {
    if (world_.lease_valid())
      world_.answer(reply.to, std::move(reply.what));
    else
      world_.answer(reply.to, {{"error", "lease_lost"},
                               {"detail", "this node may no longer speak for the shard"}});
  }
  for (auto& [from, call] : batch.calls)
    if (world_.lease_valid()) world_.call(from, std::move(call));
  for (const auto& [slot, from] : batch.shows)
    if (at_rest(slot) && !residents_[slot].stored) retire(slot);
}

}  // namespace troupe
