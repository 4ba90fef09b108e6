#include "runtime/entity/feed_source.hpp"

#include <algorithm>

namespace troupe {

namespace {

constexpr std::size_t piece_bytes = 64;               // What a piece costs beside its payload.
constexpr std::size_t stretch_bytes_max = 256 << 10;  // Of a piece, unless one record is larger.
constexpr std::size_t packet_bytes_max = 512 << 10;   // Passed by at most one piece.

}  // namespace

void feed_source::on_request(const feed_request& from, const taken& end) {
  const auto known = lanes_.find(from.from);
  if (known != lanes_.end() && from.lane < known->second.id) return;
  if (!from.wanted) {
    if (known == lanes_.end() || from.lane != known->second.id) return;
    auto& l = known->second;
    while (!l.unacknowledged.empty() && l.unacknowledged.front().first <= from.acknowledged) {
      l.bytes -= l.unacknowledged.front().second;
      l.unacknowledged.pop_front();
    }
    return;
  }
  if (known != lanes_.end() && from.lane == known->second.id) return;
  forget(from.from);
  if (from.wanted->empty()) return;
  auto& l = lanes_[from.from];
  l.id = from.lane;
  for (const auto& of : *from.wanted) {
    const auto at = end(of.kind);
    if (!at) continue;
    subscriptions_[of.kind][of.key].push_back({from.from, *at});
    add(l, {of, *at, *at, nullptr, nullptr}, 0);
  }
}

void feed_source::forget(shard_id follower) {
  if (lanes_.erase(follower) == 0) return;
  for (auto& [kind, keys] : subscriptions_)
    for (auto it = keys.begin(); it != keys.end();) {
      std::erase_if(it->second, [&](const subscription& s) { return s.to == follower; });
      it = it->second.empty() ? keys.erase(it) : std::next(it);
    }
}

void feed_source::took(std::string_view kind, std::string_view key, const event_batch_ptr& events,
                       const record_batch_ptr& raw, position next) {
  const auto keys = subscriptions_.find(kind);
  if (keys == subscriptions_.end()) return;
  const auto found = keys->second.find(key);
  if (found == keys->second.end()) return;
  const auto stretches = stretches_of(*events, *raw, next);
  for (auto& s : found->second)
    for (const auto& part : stretches) {
      add(lanes_.at(s.to), {{std::string(kind), std::string(key)}, s.next, part.next, events, raw},
          part.bytes);
      s.next = part.next;
    }
}

void feed_source::add(lane& l, feed_piece what, std::size_t bytes) {
  l.pieces.push_back({std::move(what), bytes + piece_bytes});
  l.pieces_bytes += bytes + piece_bytes;
}

/// Cuts a batch into stretches that are fit for the wire.
std::vector<feed_source::stretch> feed_source::stretches_of(const event_batch& events,
                                                            const record_batch& raw,
                                                            position next) {
  std::vector<stretch> all;
  std::size_t bytes = 0;
  auto record = raw.records.begin();
  for (std::size_t i = 0; i < events.size(); ++i) {
    while (record != raw.records.end() && record->offset < events.at(i).value()) ++record;
    const auto size = record == raw.records.end() ? 0 : record->payload.size();
    if (bytes > 0 && bytes + size > stretch_bytes_max) {
      all.push_back({events.at(i), bytes});
      bytes = 0;
    }
    bytes += size;
  }
  all.push_back({next, bytes});
  return all;
}

void feed_source::skipped(std::string_view kind, position first) {
  const auto keys = subscriptions_.find(kind);
  if (keys == subscriptions_.end()) return;
  for (auto& [key, all] : keys->second)
    for (auto& s : all) {
      s.next = first;
      add(lanes_.at(s.to), {{std::string(kind), key}, first, first, nullptr, nullptr}, 0);
    }
}

void feed_source::flush(const send& out) {
  std::vector<shard_id> slow;
  for (auto& [to, l] : lanes_) {
    if (l.pieces.empty()) continue;
    if (l.bytes + l.pieces_bytes > limits_.window_bytes && l.bytes > 0)
      slow.push_back(to);
    else
      post(to, l, out);
  }
  for (const auto to : slow) {
    ++cuts_;
    auto& l = lanes_.at(to);
    out(to, {self_, l.id, l.sent + 1, false, true, {}});
    forget(to);
  }
}

void feed_source::post(shard_id to, lane& l, const send& out) const {
  auto p = l.pieces.begin();
  while (p != l.pieces.end()) {
    feed_packet packet{self_, l.id, ++l.sent, false, false, {}};
    std::size_t bytes = 0;
    for (; p != l.pieces.end() && bytes < packet_bytes_max; ++p) {
      bytes += p->bytes;
      packet.pieces.push_back(std::move(p->what));
    }
    l.unacknowledged.emplace_back(l.sent, bytes);
    l.bytes += bytes;
    l.bytes_unasked += bytes;
    packet.acknowledge = l.bytes_unasked >= limits_.window_bytes / 8;
    if (packet.acknowledge) l.bytes_unasked = 0;
    out(to, std::move(packet));
  }
  l.pieces.clear();
  l.pieces_bytes = 0;
}

void feed_source::beat(const taken& end, const send& out) {
  for (auto& [kind, keys] : subscriptions_) {
    const auto at = end(kind);
    if (!at) continue;
    for (auto& [key, all] : keys)
      for (auto& s : all) {
        if (at->value() - s.next.value() < limits_.silent_records_max) continue;
        add(lanes_.at(s.to), {{kind, key}, s.next, *at, nullptr, nullptr}, 0);
        s.next = *at;
      }
  }
  flush(out);
  for (auto& [to, l] : lanes_) {
    const bool ask = !l.unacknowledged.empty();
    if (ask) l.bytes_unasked = 0;
    out(to, {self_, l.id, l.sent, ask, false, {}});
  }
}

}  // namespace troupe
