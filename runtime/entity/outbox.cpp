#include "runtime/entity/outbox.hpp"

#include <algorithm>

#include "runtime/base/ensure.hpp"

namespace troupe {

void outbox::restore(const std::map<std::string, sequence>& sequences,
                     std::vector<store::outbox_row> rows) {
  for (const auto& [target, last] : sequences) lanes_[target].used = last;
  committed(std::move(rows));
}

sequence outbox::number(const std::string& target) {
  auto& last = lanes_[target].used;
  last = sequence(last.value() + 1);
  return last;
}

void outbox::committed(std::vector<store::outbox_row> rows) {
  undelivered_ += rows.size();
  for (auto& row : rows) {
    auto& to = lanes_[row.target];
    ensure(row.seq <= to.used, "an outbox row was numbered before it was stored");
    if (is_topic(row.target)) ++to_topics_;
    to.rows.push_back(std::move(row));
  }
}

std::vector<outbox::ahead> outbox::opened(const std::map<std::string, sequence>& out) {
  std::vector<ahead> found;
  for (const auto& [topic, last] : out) {
    const auto target = topic_target(topic);
    if (last > lanes_[target].used) found.push_back({target, last, lanes_[target].used});
  }
  if (!found.empty()) return found;
  for (auto& [target, to] : lanes_)
    if (is_topic(target)) to.sent = 0;
  for (const auto& [topic, last] : out) delivered(topic_target(topic), last);
  topics_open_ = true;
  return {};
}

void outbox::hand_out(const send& to_topic, const send& to_shard) {
  for (auto& [target, to] : lanes_) {
    const bool topic = is_topic(target);
    if (topic && !topics_open_) continue;
    const auto upto = topic ? to.rows.size() : std::min(to.rows.size(), window_);
    for (; to.sent < upto; ++to.sent) (topic ? to_topic : to_shard)(to.rows[to.sent]);
  }
}

void outbox::resend_to_shards() {
  for (auto& [target, to] : lanes_)
    if (!is_topic(target)) to.sent = 0;
}

void outbox::delivered(const std::string& target, sequence seq) {
  auto& to = lanes_[target];
  bool any = false;
  while (!to.rows.empty() && to.rows.front().seq <= seq) {
    to.rows.pop_front();
    if (to.sent > 0) --to.sent;
    --undelivered_;
    if (is_topic(target)) --to_topics_;
    any = true;
  }
  if (any) acknowledged_[target] = seq;
}

std::vector<store::delivered_range> outbox::take_delivered() {
  std::vector<store::delivered_range> ranges;
  for (const auto& [target, seq] : acknowledged_) ranges.push_back({target, seq});
  acknowledged_.clear();
  return ranges;
}

bool outbox::waits_for_shards() const {
  for (const auto& [target, to] : lanes_)
    if (!is_topic(target) && !to.rows.empty()) return true;
  return false;
}

}  // namespace troupe
