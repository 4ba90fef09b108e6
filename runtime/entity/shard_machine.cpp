#include "runtime/entity/shard_machine.hpp"

#include <algorithm>

#include "runtime/base/ensure.hpp"
#include "runtime/base/log.hpp"

namespace troupe {

shard_machine::shard_machine(shard_id id, const shard_setup& setup, shard_world& world,
                             std::vector<poison> poisoned)
    : id_(id),
      setup_(setup),
      world_(world),
      poisoned_(std::move(poisoned)),
      outbox_(setup.limits.channel_window),
      source_(id, setup.limits.feeds),
      follower_(id, setup.limits.feeds, world, setup.shard_of) {
  for (const auto& def : setup_.things.ingress) {
    const auto* kind = find_kind(def.kind);
    auto& log = logs_.emplace_back();
    log.decode = decoder_of(def, id_);
    log.log_fed = kind != nullptr && kind->log_fed;
  }
}

void shard_machine::start() {
  phase_ = phase::taking;
  phase_since_ = world_.now();
  world_.take();
}

void shard_machine::on_taken(std::optional<store::taken_shard> taken, store::commit_outcome why) {
  if (phase_ != phase::taking) return;
  if (!taken) {
    const bool fenced = why == store::commit_outcome::fenced;
    return fail({fenced ? shard_failure::kind::fenced : shard_failure::kind::store,
                 fenced ? "another live incarnation owns the shard" : "the store is out of reach",
                 {},
                 {}});
  }
  era_ = taken->era;
  auto& image = taken->image;
  for (std::size_t i = 0; i < logs_.size(); ++i) {
    const auto it = image.positions.find(setup_.things.ingress[i].topic);
    logs_[i].next = logs_[i].applied = it == image.positions.end() ? position(0) : it->second;
  }
  progress_.positions = std::move(image.positions);
  outbox_.restore(image.sequences, std::move(image.outbox));
  for (auto& row : image.timers) timers_.set(std::move(row));
  channels_ = channels_committed_ = std::move(image.channels);
  following_ = std::move(image.following);
  follower_.begin(era_);
  log::debug("entity", "shard_taken", {{"shard", id_}, {"epoch", era_}});
  phase_ = phase::opening;
  phase_since_ = world_.now();
  world_.open_egress(era_);
}

void shard_machine::on_egress_opened(const std::map<std::string, sequence>& out) {
  if (phase_ != phase::opening && phase_ != phase::live) return;
  const auto ahead = outbox_.opened(out);
  if (!ahead.empty()) {
    const auto& a = ahead.front();
    return fail_if_owner(
        {shard_failure::kind::state,
         a.target + " partition " + std::to_string(id_.value()) + " holds sequence " +
             std::to_string(a.in_log.value()) + " but the database knows only " +
             std::to_string(a.in_store.value()) +
             ": topics and database do not belong together (use the database that wrote "
             "them, other topics by "
             "kafka.topic_prefix, or delete the egress topics)",
         {},
         {}});
  }
  if (outbox_.undelivered() == 0) undelivered_since_ = {};
  if (phase_ == phase::opening) return go_live();
  hand_out();
  hold_back_if_full();
  run_units();
  maybe_commit();
}

void shard_machine::go_live() {
  log::debug("entity", "shard_live", {{"shard", id_}, {"epoch", era_}});
  phase_ = phase::live;
  progress_.era = era_.value();
  progress_.live = true;
  last_checkpoint_ = world_.now();
  std::vector<ingress_port::start> from;
  for (std::uint32_t i = 0; i < logs_.size(); ++i) from.push_back({i, logs_[i].next});
  world_.assign(era_, std::move(from));
  world_.live(era_);
  hand_out();
  revive_followers(std::exchange(following_, {}));
  on_wake();
}

void shard_machine::fail(shard_failure why) {
  if (phase_ == phase::failed) return;
  phase_ = phase::failed;
  progress_.live = false;
  world_.fail(std::move(why));
}

/// A log that knows more than the store may be a later owner's work: an empty commit tells whether
/// the epoch still holds. Nothing else is committed meanwhile.
void shard_machine::fail_if_owner(shard_failure why) {
  if (doubt_) return;
  doubt_ = std::move(why);
  store::commit_batch fence;
  fence.shard = id_;
  fence.era = era_;
  world_.commit(std::move(fence));
}

void shard_machine::hand_out() {
  outbox_.hand_out([this](const store::outbox_row& row) { world_.publish(era_, row); },
                   [this](const store::outbox_row& row) { world_.send_to_shard(row); });
}

void shard_machine::on_delivered(const std::string& topic, sequence seq) {
  if (phase_ != phase::live) return;
  outbox_.delivered(topic_target(topic), seq);
  relieve();
}

void shard_machine::on_egress_lost(const std::string& topic, const std::string& reason) {
  if (phase_ != phase::live || !outbox_.topics_open()) return;
  log::warn("entity", "egress_lost", {{"shard", id_}, {"topic", topic}, {"reason", reason}});
  outbox_.close_topics();
  world_.open_egress(era_);
}

void shard_machine::on_channel_acknowledged(const std::string& target, sequence up_to) {
  if (phase_ != phase::live) return;
  outbox_.delivered(target, up_to);
  hand_out();
  relieve();
}

/// Something has left the outbox.
void shard_machine::relieve() {
  undelivered_since_ = outbox_.undelivered() == 0 ? time_point{} : world_.now();
  hold_back_if_full();
  run_units();
  maybe_commit();
  drain_further();
}

void shard_machine::on_wake() {
  if (phase_ != phase::live) return;
  const auto now = world_.now();
  for (auto& row : timers_.fire(now)) {
    unit u;
    u.input = {"timer", to_micros(row.due), to_string(row.owner) + '/' + row.name};
    u.to = row.owner;
    const auto parsed = nlohmann::json::parse(row.message, nullptr, false);
    ensure(parsed.is_object(), "a stored timer message is JSON");
    u.what = {parsed.value("type", ""), parsed.value("body", nlohmann::json())};
    u.timer = std::move(row);
    enqueue(std::move(u));
  }
  if (outbox_.waits_for_shards() && now >= resend_at_) {
    resend_at_ = now + setup_.limits.channel_resend;
    outbox_.resend_to_shards();
    hand_out();
  }
  residents_.each([&](slot_id slot, residents::entry& e) {
    const bool idle = now - e.used >= setup_.limits.idle_timeout;
    if (idle && at_rest(slot) && !follower_.follows(slot)) retire(slot);
  });
  tend_feeds();
  run_units();
  forget_answers();
  hold_back_if_full();
  maybe_commit();
  drain_further();  // What ended last may have come to nothing, without a commit.
  wake_when_needed();
}

void shard_machine::on_drain() {
  if (phase_ != phase::live) return fail({shard_failure::kind::lease, "the node stops", {}, {}});
  draining_ = true;
  world_.unassign();
  checkpoint_now_ = true;
  maybe_commit();
  drain_further();
}

void shard_machine::on_lease_lost(bool for_ever) {
  using enum shard_failure::kind;
  if (for_ever) return fail({lease, "the node was declared dead", {}, {}});
  fail({store, "the node could not renew its lease: the store is out of reach", {}, {}});
}

void shard_machine::drain_further() {
  if (!draining_ || phase_ != phase::live || closing_ || running_ || !inbox_.empty() ||
      loading_ > 0 || open_.urgent() || outbox_.undelivered() > 0)
    return;
  if (outbox_.has_delivered() || !changed_.empty()) {
    checkpoint_now_ = true;
    return maybe_commit();
  }
  draining_ = false;
  world_.drained(era_);
}

void shard_machine::wake_when_needed() {
  constexpr std::chrono::milliseconds look_around_max{1000};  // Status, idle entities, resends.
  auto when = world_.now() + std::min(setup_.limits.checkpoint_interval, look_around_max);
  if (const auto timer = timers_.next()) when = std::min(when, *timer);
  if (const auto tick = follower_.next_tick()) when = std::min(when, *tick);
  if (source_.followed()) when = std::min(when, beat_at_ + setup_.limits.feeds.heartbeat);
  world_.wake_at(when);
}

const kind_def* shard_machine::find_kind(std::string_view name) const {
  for (const auto& kind : setup_.things.kinds)
    if (kind.name == name) return &kind;
  return nullptr;
}

const poison* shard_machine::find_poison(const input_ref& input) const {
  for (const auto& p : poisoned_)
    if (p.input == input) return &p;
  return nullptr;
}

slot_id shard_machine::resident(const kind_def& kind, const entity_id& id) {
  if (const auto* slot = residents_.find(kind, id.key)) return *slot;
  const auto slot = residents_.add(kind, id);
  residents_[slot].used = world_.now();
  to_load_.push_back(id);
  ++loading_;
  return slot;
}

bool shard_machine::at_rest(slot_id slot) {
  if (!residents_.contains(slot)) return false;
  const auto& e = residents_[slot];
  return e.state == residents::entry::status::ready && !e.changed && e.busy == 0 &&
         !open_.touched.contains(slot) && !open_.shows.contains(slot) &&
         !(closing_ && closing_->written.contains(slot));
}

void shard_machine::retire(slot_id slot) {
  follower_.drop(slot);
  world_.retire(slot);
  residents_.remove(slot);
}

/// Its input can be read again: its state waits for the next checkpoint, or for effects.
void shard_machine::mark_changed(slot_id slot) {
  if (std::exchange(residents_[slot].changed, true)) return;
  changed_.push_back(slot);
}

void shard_machine::load_missing() {
  if (to_load_.empty()) return;
  world_.load(std::exchange(to_load_, {}));
}

void shard_machine::on_loaded(const std::vector<entity_id>& asked,
                              std::optional<std::vector<store::entity_row>> rows) {
  if (phase_ != phase::live) return;
  if (!rows) return fail({shard_failure::kind::store, "entity states could not be read", {}, {}});
  std::unordered_map<entity_id, const store::entity_row*> found;
  for (const auto& row : *rows) found[row.id] = &row;
  for (const auto& id : asked) {
    const auto* kind = find_kind(id.kind);
    const auto* slot = residents_.find(*kind, id.key);
    ensure(slot != nullptr, "an entity stays resident while it loads");
    auto& e = residents_[*slot];
    const auto row = found.find(id);
    e.state = residents::entry::status::ready;
    e.stored = row != found.end();
    if (e.stored) e.saved = row->second->saved;
    --loading_;
    world_.spawn(*slot, *kind, id, row == found.end() ? nullptr : row->second);
    for (auto& parked : std::exchange(e.waiting, {}))
      world_.absorb(*slot, std::move(parked.events), std::move(parked.from));
  }
  step_unit();
  run_units();
  maybe_commit();
}

shard_progress shard_machine::progress() const {
  auto p = progress_;
  for (std::size_t i = 0; i < logs_.size(); ++i) {
    const auto& log = logs_[i];
    p.applied += log.taken;
    p.uncommitted += log.taken - log.committed;
    p.lag += std::max<std::int64_t>(0, log.end - log.next.value());
    if (held_back_ || draining_ || log.waits_since == time_point{}) continue;
    if (p.starved_since != time_point{} && p.starved_since <= log.waits_since) continue;
    p.starved_since = log.waits_since;
    p.starved_of = setup_.things.ingress[i].topic;
  }
  p.uncommitted_since = closing_since_ != time_point{} ? closing_since_ : open_since_;
  p.undelivered = outbox_.undelivered();
  p.undelivered_since = undelivered_since_;
  p.inbox = inbox_.size();
  p.residents = residents_.size();
  p.feeds = follower_.state();
  p.feeds_out = source_.lanes();
  p.feed_cuts = source_.cuts();
  return p;
}

}  // namespace troupe
