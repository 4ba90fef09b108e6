// Feeds in a shard: what its entities follow, and who follows them.
#include <algorithm>

#include "runtime/base/ensure.hpp"
#include "runtime/base/log.hpp"
#include "runtime/entity/feed_decoder.hpp"
#include "runtime/entity/shard_machine.hpp"

namespace troupe {

// ---- its followers elsewhere -------------------------------------------------------------------

void shard_machine::on_feed_request(const feed_request& from) {
  if (phase_ != phase::live || draining_) return;
  source_.on_request(from, [this](std::string_view kind) { return taken_of(kind); });
  source_.flush([this](shard_id to, feed_packet what) { world_.send_feed(to, std::move(what)); });
  wake_when_needed();
}

/// End of what has been decoded of the log of this kind.
std::optional<position> shard_machine::taken_of(std::string_view kind) const {
  const auto topic = feed_decoder::topic_of(setup_.things.ingress, kind);
  if (!topic || !logs_[*topic].log_fed) return std::nullopt;
  return logs_[*topic].next;
}

// ---- what its entities follow ------------------------------------------------------------------

/// Entities that follow others live without being asked.
void shard_machine::revive_followers(const std::vector<entity_id>& following) {
  for (const auto& id : following) {
    const auto* kind = find_kind(id.kind);
    if (kind != nullptr && kind->follows)
      resident(*kind, id);
    else
      log::error("entity", "follower_of_unknown_kind", {{"shard", id_}, {"entity", to_string(id)}});
  }
  load_missing();
}

void shard_machine::on_follows(slot_id slot, const std::vector<followed>& follows) {
  // Not before its first message, nor when it has gone meanwhile.
  if (phase_ != phase::live || !residents_.contains(slot) || !residents_[slot].stored) return;
  follow(slot, follows);
  feeds_moved();
}

void shard_machine::follow(slot_id slot, const std::vector<followed>& all) {
  auto known = all;
  std::erase_if(known, [&](const followed& f) {
    const bool fed = taken_of(f.of.kind).has_value();
    if (!fed)
      log::error("entity", "follows_no_log",
                 {{"entity", to_string(residents_[slot].id)}, {"followed", to_string(f.of)}});
    return !fed;
  });
  follower_.set(slot, known);
  follower_.flush(world_.now());
}

void shard_machine::on_feed_packet(const feed_packet& packet) {
  if (phase_ != phase::live) return;
  follower_.on_packet(packet, world_.now());
  feeds_moved();
}

void shard_machine::on_history(shard_id source, const std::string& kind,
                               const history_chunk& read) {
  if (phase_ != phase::live) return;
  follower_.on_history(source, kind, read, world_.now());
  feeds_moved();
}

void shard_machine::on_source_live(shard_id source) {
  if (phase_ != phase::live) return;
  follower_.on_source_live(source);
  feeds_moved();
}

void shard_machine::feeds_moved() {
  run_units();
  follower_.flush(world_.now());
  if (const auto tick = follower_.next_tick()) world_.wake_at(*tick);
  maybe_commit();
}

void shard_machine::tend_feeds() {
  const auto now = world_.now();
  follower_.on_tick(now);
  follower_.flush(now);
  if (!source_.followed() || now - beat_at_ < setup_.limits.feeds.heartbeat) return;
  beat_at_ = now;
  source_.beat([this](std::string_view kind) { return taken_of(kind); },
               [this](shard_id to, feed_packet what) { world_.send_feed(to, std::move(what)); });
}

bool shard_machine::begin_feed() {
  if (draining_ || held_back_) return false;
  auto next = follower_.next();
  if (!next) return false;
  auto& e = residents_[next->slot];
  unit u;
  u.input = {"feed:" + to_string(next->of),
             next->events ? next->events->at(next->first).value() : next->next.value(),
             to_string(e.id)};
  u.to = e.id;
  u.feed = std::move(next);
  std::deque<running_unit::delivery> told;
  if (!poisoned_.empty()) told = spare_poison(u);
  if (open_since_ == time_point{}) open_since_ = world_.now();
  if (u.feed->missing > 0) {
    progress_.feed_missing += u.feed->missing;
    log::error("entity", "feed_truncated",
               {{"shard", id_},
                {"entity", u.input.key},
                {"feed", u.input.source},
                {"first", u.feed->next},
                {"missing", u.feed->missing}});
  }
  e.used = world_.now();
  ++e.busy;
  running_.emplace();
  running_->what = std::move(u);
  running_->todo = std::move(told);
  running_->waiting = running_->what.feed->slot;
  world_.feed(running_->what.feed->slot, *running_->what.feed);
  return true;
}

/// Stops before an event that has failed too often; when that is the first, it is passed over and
/// quarantined by the commit that moves the cursor. Returns who is told of it in this shard.
std::deque<running_unit::delivery> shard_machine::spare_poison(unit& u) {
  std::deque<running_unit::delivery> told;
  auto& d = *u.feed;
  for (const auto& p : poisoned_) {
    if (p.input.source != u.input.source || p.input.key != u.input.key || !d.events) continue;
    const position bad(p.input.place);
    const auto i = first_event(*d.events, bad);
    if (i < d.first || i >= d.end || d.events->at(i) != bad) continue;
    d.end = i;
    d.next = bad;
    if (i > d.first) continue;
    d.next = position(bad.value() + 1);
    d.events = nullptr;
    d.first = d.end = 0;
    u.input.place = bad.value();
    u.what = {"event", {{"feed", u.input.source}, {"offset", bad.value()}}};
    quarantine(u, p);
    told = told_of(p);
    open_.touched.insert(d.slot);
  }
  return told;
}

void shard_machine::on_fed(slot_id slot, std::size_t done, effects decided,
                           const follows_now& follows) {
  if (phase_ != phase::live) return;
  ensure(running_ && running_->waiting == slot && running_->what.feed,
         "an entity takes what it was fed");
  const auto d = *running_->what.feed;
  ensure(d.slot == slot && d.first <= done && done <= d.end, "it took of what it was given");
  --residents_[slot].busy;
  running_->waiting.reset();
  follower_.consumed(d, done == d.end);
  if (follows) follow(slot, *follows);
  if (done > d.first) follower_.resume(slot);
  if (decided.leaves_entity()) {
    open_.touched.insert(slot);
    count_unit();
  } else if (done > d.first || done == d.end) {
    mark_changed(slot);
  }
  merge(slot, std::move(decided));
  step_unit();
  maybe_commit();  // Before the next: there may always be one.
  feeds_moved();
}

nlohmann::json shard_machine::feeds_of(slot_id slot) const {
  auto all = nlohmann::json::array();
  for (const auto& v : follower_.views(slot))
    all.push_back(
        {{"entity", to_string(*v.of)}, {"next", v.next.value()}, {"lag", v.lag}, {"live", v.live}});
  return all;
}

}  // namespace troupe
