// The log plane of a shard: from records to log-fed entities, and what cannot be used to the
// dead-letter topic.
#include <algorithm>

#include "runtime/base/ensure.hpp"
#include "runtime/base/log.hpp"
#include "runtime/codec/text.hpp"
#include "runtime/entity/shard_machine.hpp"

namespace troupe {

namespace {

std::int64_t missing_of(const unreadable_log& log) {
  return log.begin.value() - log.wanted.value();
}

std::string words_for(const unreadable_log& log) {
  const auto wanted = "position " + std::to_string(log.wanted.value());
  switch (log.why) {
    case unreadable_log::cause::truncated:
      return " begins at offset " + std::to_string(log.begin.value()) + ", " + wanted +
             " is gone: " + std::to_string(missing_of(log)) +
             " records are missing (set ingress.on_truncated to \"continue\" to go on without "
             "them)";
    case unreadable_log::cause::unknown:
      return " does not exist, " + wanted +
             " cannot be read: it was deleted (a node makes missing topics when it starts)";
    case unreadable_log::cause::ended:
      return " ends at offset " + std::to_string(log.end.value()) + ", before " + wanted +
             ": the topic was made anew or has lost its end, and nothing says where to go on "
             "(docs/operations.md, \"When something is lost\")";
  }
  return {};
}

}  // namespace

/// Takes what the decoder makes of one span of records.
class shard_machine::records_sink final : public decoder_sink {
 public:
  /// `upto`: end of the records that are decoded. `for_feeds_only`: the entities do not get them.
  records_sink(shard_machine& host, std::uint32_t topic, const record_batch_ptr& batch,
               position upto, bool for_feeds_only)
      : host_(host),
        topic_(topic),
        batch_(batch),
        upto_(upto),
        for_feeds_only_(for_feeds_only),
        def_(host.setup_.things.ingress[topic]) {
    kind_ = host.find_kind(def_.kind);
  }

  void deliver(std::string_view key, event_batch_ptr events) override {
    ensure(kind_ != nullptr && kind_->log_fed, "events go to a log-fed kind");
    if (host_.source_.followed()) host_.source_.took(def_.kind, key, events, batch_, upto_);
    if (!for_feeds_only_) host_.deliver_events(*kind_, key, std::move(events), batch_);
  }

  void deliver(const record_view& from, entity_id to, message what, std::string request) override {
    auto u = make_unit(from);
    u.to = std::move(to);
    u.what = std::move(what);
    u.request = std::move(request);
    host_.enqueue(std::move(u));
  }

  void refuse(const record_view& record, std::string_view reason,
              std::string_view detail) override {
    if (for_feeds_only_) return;
    if (host_.logs_[topic_].log_fed)
      return host_.dead_letter(def_.topic, record.offset, record.key, record.payload, reason,
                               detail);
    auto u = make_unit(record);
    u.refused = {std::string(reason), std::string(detail)};
    host_.enqueue(std::move(u));
  }

 private:
  unit make_unit(const record_view& from) {
    unit u;
    u.input = {def_.topic, from.offset, {}};
    u.topic = topic_;
    u.batch = batch_;
    u.record = from;
    return u;
  }

  shard_machine& host_;
  std::uint32_t topic_;
  const record_batch_ptr& batch_;
  const position upto_;
  const bool for_feeds_only_;
  const ingress_def& def_;
  const kind_def* kind_ = nullptr;
};

void shard_machine::on_records(const record_batch_ptr& batch) {
  if (phase_ != phase::live || batch->assignment != era_.value() || batch->records.empty()) return;
  take_records(batch->topic, batch);
  note_end(logs_[batch->topic], batch->log_end, true);
  source_.flush([this](shard_id to, feed_packet what) { world_.send_feed(to, std::move(what)); });
  load_missing();
  run_units();
  hold_back_if_full();
  maybe_commit();
}

void shard_machine::take_records(std::uint32_t topic, const record_batch_ptr& batch) {
  auto& log = logs_[topic];
  std::span<const record_view> records(batch->records);
  while (!records.empty() && records.front().offset < log.next.value())
    records = records.subspan(1);
  if (records.empty()) return;
  if (open_since_ == time_point{}) open_since_ = world_.now();
  log.next = position(records.back().offset + 1);
  if (log.log_fed) log.taken += static_cast<std::int64_t>(records.size());
  if (poisoned_.empty()) return decode_span(topic, records, batch);
  for (const auto& record : records)
    decode_span(topic, {&record, 1}, batch, set_aside(topic, record));
}

void shard_machine::decode_span(std::uint32_t topic, std::span<const record_view> records,
                                const record_batch_ptr& batch, bool for_feeds_only) {
  if (for_feeds_only && !logs_[topic].log_fed) return;
  records_sink sink(*this, topic, batch, position(records.back().offset + 1), for_feeds_only);
  logs_[topic].decode->decode(records, sink);
}

/// Whether this record has failed too often: then it is quarantined by the commit that passes its
/// position.
bool shard_machine::set_aside(std::uint32_t topic, const record_view& record) {
  if (!logs_[topic].log_fed) return false;  // Units see to it when their turn comes.
  const auto& name = setup_.things.ingress[topic].topic;
  const auto* p = find_poison({name, record.offset, {}});
  if (p == nullptr) return false;
  tell_quarantined(name, record.offset, p->entity, *p);
  log_open_.quarantined.push_back({p->entity, name, record.offset, std::string(record.key),
                                   std::string(record.payload), p->reason});
  dead_letter(name, record.offset, record.key, record.payload, "quarantined", p->reason);
  return true;
}

void shard_machine::deliver_events(const kind_def& kind, std::string_view key,
                                   event_batch_ptr events, const record_batch_ptr& from) {
  const auto* known = residents_.find(kind, key);
  const auto slot = known != nullptr ? *known : resident(kind, {kind.name, std::string(key)});
  auto& e = residents_[slot];
  if (e.topic.empty()) e.topic = setup_.things.ingress[from->topic].topic;
  e.used = open_since_;
  mark_changed(slot);
  if (e.state == residents::entry::status::ready)
    return world_.absorb(slot, std::move(events), from);
  e.waiting.push_back({std::move(events), from});
}

void shard_machine::dead_letter(const std::string& source, std::int64_t place, std::string_view key,
                                std::string_view payload, std::string_view reason,
                                std::string_view detail) {
  ++progress_.dead_letters;
  const bool log_plane = std::ranges::any_of(logs_, [&](const log_topic& log) {
    return log.log_fed &&
           setup_.things.ingress[static_cast<std::size_t>(&log - logs_.data())].topic == source;
  });
  auto& batch = log_plane ? log_open_ : open_;
  batch.records.push_back(
      {std::string(dead_letter_topic), is_name(key) ? std::string(key) : std::string(),
       dead_letter_json({source, id_.value(), place, reason, detail, key, payload, world_.now()})});
  if (log_plane) output_waiting_ = true;
}

void shard_machine::on_log_end(std::uint32_t topic, position end) {
  if (phase_ != phase::live) return;
  note_end(logs_[topic], end.value(), false);
}

/// `taken`: records of it have just come.
void shard_machine::note_end(log_topic& log, std::int64_t end, bool taken) const {
  log.end = end;
  if (log.end <= log.next.value())
    log.waits_since = {};
  else if (taken || log.waits_since == time_point{})
    log.waits_since = world_.now();
}

void shard_machine::on_unreadable(const unreadable_log& log) {
  if (phase_ != phase::live) return;
  using enum unreadable_log::cause;
  // What another log holds at this position, or what came back from nothing, is not what was to be
  // read: only records that are known to be gone can be done without.
  const bool goes_on = log.why == truncated && setup_.limits.go_on_when_truncated;
  const auto& topic = setup_.things.ingress[log.topic].topic;
  const auto* const event = log.why == truncated ? "log_truncated"
                            : log.why == unknown ? "log_unknown"
                                                 : "log_ended";
  log::error("entity", event,
             {{"shard", id_},
              {"topic", topic},
              {"wanted", log.wanted},
              {"begin", log.begin},
              {"end", log.end},
              {"missing", log.why == truncated ? missing_of(log) : 0},
              {"goes_on", goes_on}});
  if (goes_on) return go_on_behind_gap(log);
  const auto partition = "topic " + topic + " partition " + std::to_string(id_.value());
  fail({shard_failure::kind::log, partition + words_for(log), {}, {}});
}

/// Without the records that the log has lost.
void shard_machine::go_on_behind_gap(const unreadable_log& log) {
  auto& own = logs_[log.topic];
  progress_.log_missing += missing_of(log);
  own.next = own.applied = log.begin;
  note_end(own, log.end.value(), true);
  source_.skipped(setup_.things.ingress[log.topic].kind, log.begin);
  open_.advanced = true;
  checkpoint_now_ = true;
  world_.assign(era_, {{log.topic, log.begin}});
  maybe_commit();
}

void shard_machine::hold_back_if_full() {
  std::int64_t uncommitted = 0;
  for (const auto& log : logs_) uncommitted += log.taken - log.committed;
  const auto& limits = setup_.limits;
  const bool full = uncommitted >= limits.uncommitted_records_max ||
                    outbox_.undelivered() >= limits.outbox_max || inbox_.size() >= limits.inbox_max;
  const bool low = uncommitted < limits.uncommitted_records_max &&
                   outbox_.undelivered() < limits.outbox_max / 2 &&
                   inbox_.size() < limits.inbox_max / 2 + 1;
  if (bridge_full()) refuse_waiting_clients();
  if (full && !held_back_) {
    held_back_ = true;
    world_.pause();
  } else if (low && held_back_) {
    held_back_ = false;
    for (auto& log : logs_) note_end(log, log.end, true);  // So far it was not the log that waited.
    world_.resume();
  }
}

void shard_machine::on_output_waiting(slot_id) {
  if (phase_ != phase::live) return;
  output_waiting_ = true;
  maybe_commit();
}

}  // namespace troupe
