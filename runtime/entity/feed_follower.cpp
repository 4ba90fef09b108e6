#include "runtime/entity/feed_follower.hpp"

#include <algorithm>

#include "runtime/base/ensure.hpp"

namespace troupe {

namespace {

std::int64_t between(position from, position to) {
  return to.value() - from.value();
}

}  // namespace

// ---- who follows what --------------------------------------------------------------------------

feed_follower::stream& feed_follower::stream_of(const entity_id& id) {
  const auto [it, fresh] = streams_.try_emplace(id);
  auto& s = it->second;
  if (!fresh) return s;
  s.id = id;
  s.source = shard_of_(id);
  s.log = &logs_[{s.source, id.kind}];
  auto& l = lanes_[s.source];
  ++l.streams;
  l.renew = true;
  return s;
}

void feed_follower::set(slot_id slot, const std::vector<followed>& all) {
  std::set<const stream*> wanted;
  for (const auto& f : all) {
    auto& s = stream_of(f.of);
    if (!wanted.insert(&s).second) continue;
    const auto [it, fresh] = s.tracks.try_emplace(slot);
    auto& t = it->second;
    if (fresh) {
      t.slot = slot;
      t.of = &s;
      by_slot_[slot].push_back(&s);
    }
    if (fresh || t.told != f.next) {
      feed_up(t);
      t.next = t.told = f.next;
      t.missing = 0;
    }
    wake(t);
  }
  const auto known = by_slot_.find(slot);
  if (known == by_slot_.end() || known->second.size() == wanted.size()) return;
  for (auto* s : std::vector(known->second))
    if (!wanted.contains(s)) remove(s->tracks.at(slot));
}

void feed_follower::remove(track& t) {
  auto& s = *t.of;
  const auto slot = t.slot;
  feed_up(t);
  if (t.queued) std::erase(ready_, &t);
  s.tracks.erase(slot);
  auto& mine = by_slot_.at(slot);
  std::erase(mine, &s);
  if (mine.empty()) by_slot_.erase(slot);
  if (!s.tracks.empty()) return;
  auto& l = lanes_.at(s.source);
  --l.streams;
  l.renew = true;
  clear(s);
  streams_.erase(entity_id(s.id));
}

void feed_follower::wake(track& t) {
  if (t.queued || t.busy || t.waits) return;
  t.queued = true;
  ready_.push_back(&t);
}

void feed_follower::starve(track& t) {
  t.hungry = t.of->log->hungry.emplace(t.next, &t).second;
}

void feed_follower::feed_up(track& t) {
  if (!t.hungry) return;
  t.of->log->hungry.erase({t.next, &t});
  t.hungry = false;
}

// ---- out to the entities -----------------------------------------------------------------------

std::optional<feed_follower::delivery> feed_follower::next() {
  while (!ready_.empty()) {
    auto& t = *ready_.front();
    ready_.pop_front();
    t.queued = false;
    feed_up(t);
    if (auto d = offer(t)) {
      t.busy = true;
      return d;
    }
  }
  return std::nullopt;
}

/// What comes next on this way, or nothing: then it waits for live pieces, or hungers for history.
std::optional<feed_follower::delivery> feed_follower::offer(track& t) {
  auto& s = *t.of;
  if (t.missing > 0) return delivery{t.slot, s.id, nullptr, 0, 0, t.next, t.missing};
  if (t.next == feed_from_now) {
    if (!s.live) return std::nullopt;
    return delivery{t.slot, s.id, nullptr, 0, 0, *s.live, 0};
  }
  std::optional<delivery> found;
  if ((!s.live || t.next < s.live_from()) && take_read(t) &&
      take_piece(t, t.read.events, t.read.next, found))
    return found;
  if (s.live && t.next >= s.live_from())
    for (const auto& piece : s.recent)
      if (piece.next > t.next && take_piece(t, piece.events, piece.next, found)) return found;
  if (t.told != feed_from_now && between(t.told, t.next) >= limits_.silent_records_max)
    return delivery{t.slot, s.id, nullptr, 0, 0, t.next, 0};
  if (!s.live || t.next < s.live_from()) starve(t);
  return std::nullopt;
}

/// Whether it has, or gets, what was read of the log from where it stands.
bool feed_follower::take_read(track& t) const {
  if (t.read.from <= t.next && t.next < t.read.next) return true;
  t.read = {};
  const auto& h = *t.of->log;
  const auto& key = t.of->id.key;
  if (t.next < h.last.from || t.next >= h.last.next ||
      !std::ranges::binary_search(h.last_keys, key))
    return false;
  const auto it = std::ranges::find(h.last.events, key, &history_chunk::of_key::key);
  t.read = {t.of->id, h.last.from, h.last.next, it == h.last.events.end() ? nullptr : it->events,
            nullptr};
  return true;
}

/// Finds the next events of this piece, which goes to `end`; without any it is passed over.
bool feed_follower::take_piece(track& t, const event_batch_ptr& events, position end,
                               std::optional<delivery>& out) const {
  const auto first = events ? first_event(*events, t.next) : 0;
  if (!events || first == events->size() || events->at(first) >= end) {
    t.next = end;
    return false;
  }
  const auto all = first_event(*events, end);
  const auto last = std::min(all, first + limits_.span_events_max);
  out = delivery{t.slot, t.of->id, events, first, last, last < all ? events->at(last) : end, 0};
  return true;
}

void feed_follower::consumed(const delivery& d, bool all) {
  const auto it = streams_.find(d.of);
  if (it == streams_.end()) return;
  const auto found = it->second.tracks.find(d.slot);
  if (found == it->second.tracks.end()) return;
  auto& t = found->second;
  t.busy = false;
  if (!all) {
    t.waits = true;
    return;
  }
  t.next = t.told = d.next;
  t.missing = 0;
  wake(t);
}

void feed_follower::resume(slot_id slot) {
  const auto it = by_slot_.find(slot);
  if (it == by_slot_.end()) return;
  for (auto* s : it->second) {
    auto& t = s->tracks.at(slot);
    if (std::exchange(t.waits, false)) wake(t);
  }
}

// ---- in from the source ------------------------------------------------------------------------

void feed_follower::on_packet(const feed_packet& p, time_point now) {
  for (const auto& piece : p.pieces) join(piece);
  count(p, now);
}

/// Notices what is lost, and answers who wants a sign.
void feed_follower::count(const feed_packet& p, time_point now) {
  const auto it = lanes_.find(p.source);
  if (it == lanes_.end()) {
    unwanted_.push_back(p.source);
    return;
  }
  auto& l = it->second;
  if (p.lane != l.id) return;
  l.heard = now;
  if (p.acknowledge && !p.cut) out_.ask_source(p.source, {self_, l.id, p.number, {}});
  const bool repeats = p.pieces.empty() && !p.cut;
  if (!repeats && p.number == l.expected) ++l.expected;
  l.answered = true;
  if (p.cut || p.number >= l.expected) l.renew = true;
}

void feed_follower::join(const feed_piece& p) {
  const auto it = streams_.find(p.of);
  if (it == streams_.end()) return;
  auto& s = it->second;
  const bool fresh = !s.live || p.from > *s.live;
  if (!fresh && p.next <= *s.live) return;
  if (fresh) clear(s);
  const auto from = fresh ? p.from : *s.live;
  s.live = p.next;
  if (p.next > from) {
    s.recent.push_back({p.of, from, p.next, p.events, nullptr});
    const auto n = p.events ? p.events->size() : 0;
    s.recent_events += n;
    buffered_ += n;
  }
  trim(s);
  for (auto& [slot, t] : s.tracks)
    if (fresh || !t.hungry) wake(t);
}

/// Keeps what those need who are not behind, within the limits.
void feed_follower::trim(stream& s) {
  auto keep = *s.live;
  for (const auto& [slot, t] : s.tracks)
    if (t.next >= s.live_from()) keep = std::min(keep, t.next);
  while (!s.recent.empty() &&
         (s.recent.front().next <= keep || s.recent_events > limits_.buffer_events_max ||
          buffered_ > limits_.buffers_events_max)) {
    const auto n = s.recent.front().events ? s.recent.front().events->size() : 0;
    s.recent_events -= n;
    buffered_ -= n;
    s.recent.pop_front();
  }
}

void feed_follower::clear(stream& s) {
  buffered_ -= s.recent_events;
  s.recent_events = 0;
  s.recent.clear();
}

void feed_follower::on_source_live(shard_id source) {
  const auto it = lanes_.find(source);
  if (it != lanes_.end()) it->second.renew = true;
}

// ---- the log -----------------------------------------------------------------------------------

void feed_follower::on_history(shard_id source, const std::string& kind, const history_chunk& read,
                               time_point now) {
  auto& h = logs_[{source, kind}];
  h.reading = false;
  h.read_at = now;
  using outcome = history_chunk::outcome;
  if (read.what == outcome::read && read.next > read.from) {
    h.last = read;
    h.last_keys = h.keys;
    for (auto it = h.hungry.lower_bound({read.from, nullptr});
         it != h.hungry.end() && it->first < read.next; ++it)
      if (take_read(*it->second)) wake(*it->second);
    return;
  }
  if (read.what != outcome::truncated || read.begin <= read.from) {
    h.again_at = now + limits_.read_again;
    return;
  }
  while (!h.hungry.empty() && h.hungry.begin()->first < read.begin) {
    auto& t = *h.hungry.begin()->second;
    feed_up(t);
    t.missing += between(t.next, read.begin);
    t.next = read.begin;
    wake(t);
  }
}

/// For all that hunger, from the first behind the last read, or else from the hindmost: so that one
/// with a long way to go does not keep the others waiting.
void feed_follower::read_on(const history_key& key, history& h, time_point now) {
  if (h.reading || h.hungry.empty() || now < h.again_at) return;
  std::set<std::string> keys;
  for (const auto& [at, t] : h.hungry) keys.insert(t->of->id.key);
  h.keys.assign(keys.begin(), keys.end());
  h.reading = true;
  auto from = h.hungry.lower_bound({h.last.next, nullptr});
  if (from == h.hungry.end()) from = h.hungry.begin();
  out_.read_history(key.first, key.second, from->first, h.keys);
}

// ---- time --------------------------------------------------------------------------------------

void feed_follower::on_tick(time_point now) {
  // A wall clock that was set back makes no interval longer.
  for (auto& [source, l] : lanes_) l.heard = std::min(l.heard, now);
  for (auto& [key, h] : logs_) {
    h.read_at = std::min(h.read_at, now);
    h.again_at = std::min(h.again_at, now + limits_.read_again);
  }
  for (auto& [source, l] : lanes_)
    if (now - l.heard >= (l.answered ? limits_.silence_max : limits_.answer_max)) l.renew = true;
  constexpr std::chrono::seconds kept{5};
  for (auto& [key, h] : logs_)
    if (h.hungry.empty() && !h.reading && now - h.read_at >= kept) h.last = {};
}

void feed_follower::flush(time_point now) {
  for (const auto source : std::exchange(unwanted_, {}))
    if (!lanes_.contains(source))
      out_.ask_source(source, {self_, {era_, ++lane_number_}, 0, std::vector<entity_id>()});
  for (auto it = lanes_.begin(); it != lanes_.end();) {
    auto& [source, l] = *it;
    if (!l.renew) {
      ++it;
      continue;
    }
    feed_request what{self_, {era_, ++lane_number_}, 0, std::vector<entity_id>()};
    for (const auto& [id, s] : streams_)
      if (s.source == source) what.wanted->push_back(id);
    l = {what.lane, 1, now, false, false, l.streams};
    const bool over = l.streams == 0;
    out_.ask_source(source, std::move(what));
    it = over ? lanes_.erase(it) : std::next(it);
  }
  for (auto& [key, h] : logs_) read_on(key, h, now);
}

std::optional<time_point> feed_follower::next_tick() const {
  std::optional<time_point> when;
  const auto sooner = [&](time_point t) { when = when ? std::min(*when, t) : t; };
  for (const auto& [source, l] : lanes_)
    sooner(l.heard + (l.answered ? limits_.silence_max : limits_.answer_max));
  for (const auto& [key, h] : logs_)
    if (!h.hungry.empty() && !h.reading) sooner(h.again_at);
  return when;
}

// ---- for status --------------------------------------------------------------------------------

std::vector<feed_follower::view> feed_follower::views(slot_id slot) const {
  std::vector<view> all;
  const auto it = by_slot_.find(slot);
  if (it == by_slot_.end()) return all;
  for (const auto* s : it->second) {
    const auto& t = s->tracks.at(slot);
    const bool live = s->live && (t.next == feed_from_now || t.next >= s->live_from());
    const auto lag = s->live && t.next != feed_from_now
                         ? std::max<std::int64_t>(0, between(t.next, *s->live))
                         : 0;
    all.push_back({&s->id, t.next, lag, live});
  }
  return all;
}

feed_state feed_follower::state() const {
  feed_state sum;
  for (const auto& [slot, streams] : by_slot_)
    for (const auto& v : views(slot)) {
      ++sum.followed;
      sum.catching_up += v.live ? 0 : 1;
      sum.lag += v.lag;
    }
  return sum;
}

}  // namespace troupe
