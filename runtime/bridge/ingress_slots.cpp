#include <algorithm>
#include <utility>

#include "runtime/base/log.hpp"
#include "runtime/bridge/ingress_poller.hpp"

namespace troupe::bridge {

namespace {

using namespace std::chrono_literals;

constexpr auto look_again = 1'000ms;
constexpr auto ends_every = 1'000ms;
/// A broker that has just restarted may not know its topics yet.
constexpr int looks_max = 5;

}  // namespace

ingress_slot& ingress_poller::slot_at(std::uint32_t topic, shard_id shard) {
  auto& row = slots_.at(topic);
  if (row.size() <= shard.value()) row.resize(shard.value() + 1);
  auto& s = row[shard.value()];
  if (!s) {
    s = std::make_unique<ingress_slot>();
    s->topic = topic;
    s->shard = shard;
  }
  return *s;
}

template <class F>
void ingress_poller::each_of(shard_id shard, F&& f) {
  for (auto& row : slots_)
    if (shard.value() < row.size() && row[shard.value()]) f(*row[shard.value()]);
}

void ingress_poller::assign(shard_id shard, std::int64_t assignment,
                            const std::vector<ingress_port::start>& from,
                            const std::shared_ptr<const ingress_port::receiver>& to) {
  each_of(shard, [&](ingress_slot& s) {
    if (s.assignment == assignment) return;
    stop_slot(s);
    s.held = false;
  });
  for (const auto& start : from) {
    auto& s = slot_at(start.topic, shard);
    stop_slot(s);
    s.assignment = assignment;
    s.to = to;
    start_slot(s, start.from.value());
  }
}

void ingress_poller::unassign(shard_id shard) {
  each_of(shard, [this](ingress_slot& s) {
    stop_slot(s);
    s.held = false;
    s.to = nullptr;
  });
}

void ingress_poller::hold(shard_id shard, bool held) {
  each_of(shard, [&](ingress_slot& s) { s.held = held; });
}

void ingress_poller::start_slot(ingress_slot& s, std::int64_t from) {
  ++s.life;
  s.gauge = std::make_shared<inflight_gauge>();
  s.next = from;
  s.end = s.read_to = from;
  s.wanted = true;
  // Taken anew each time: the client may have dropped an unassigned partition with its queue.
  s.queue.reset(rd_kafka_queue_get_partition(client_->get(), names_[s.topic].c_str(),
                                             static_cast<std::int32_t>(s.shard.value())));
  rd_kafka_queue_forward(s.queue.get(), nullptr);  // Not into the consumer's one queue.
  rd_kafka_queue_io_event_enable(s.queue.get(), total_->wake.fd(), &wake_up, sizeof wake_up);
  started_.push_back(&s);
  set_doubt(s, ingress_slot::doubt::existence);
}

/// Those that came together in one call: each is a round trip to the client's own thread, during
/// which no other partition is polled.
void ingress_poller::assign_started() {
  const auto all = std::exchange(started_, {});
  if (all.empty() || assign_slots(all)) return;
  if (all.size() > 1)
    for (auto* s : all) assign_slots({&s, 1});
}

/// All or none.
bool ingress_poller::assign_slots(std::span<ingress_slot* const> all) {
  const rdk::partitions_ptr list(rd_kafka_topic_partition_list_new(static_cast<int>(all.size())));
  for (const auto* s : all)
    rd_kafka_topic_partition_list_add(list.get(), names_[s->topic].c_str(),
                                      static_cast<std::int32_t>(s->shard.value()))
        ->offset = s->next;
  const rdk::error_ptr failed(rd_kafka_incremental_assign(client_->get(), list.get()));
  if (failed) {
    log::error("bridge", "assign_failed",
               {{"topic", names_[all.front()->topic]},
                {"partition", all.front()->shard},
                {"partitions", all.size()},
                {"reason", rd_kafka_error_string(failed.get())}});
    return false;
  }
  for (auto* s : all) {
    s->assigned = true;
    assigned_.push_back(s);
  }
  return true;
}

void ingress_poller::stop_slot(ingress_slot& s) {
  ++s.life;
  set_doubt(s, ingress_slot::doubt::none);
  if (s.full) std::erase(full_, &s);
  s.full = s.wanted = false;
  std::erase(started_, &s);
  if (!s.assigned) return;
  s.assigned = false;
  std::erase(assigned_, &s);
  const auto list = rdk::one_partition(names_[s.topic], s.shard.value(), 0);
  const rdk::error_ptr failed(rd_kafka_incremental_unassign(client_->get(), list.get()));
  if (failed)
    log::error("bridge", "unassign_failed",
               {{"topic", names_[s.topic]},
                {"partition", s.shard},
                {"reason", rd_kafka_error_string(failed.get())}});
}

void ingress_poller::release_drained() {
  std::erase_if(full_, [this](ingress_slot* s) {
    if (s->gauge->records.load() > options_.shard_inflight_max / 2) return false;
    s->full = false;
    s->gauge->waiting = false;
    return true;
  });
}

void ingress_poller::on_error(ingress_slot& s, const rd_kafka_message_t& m) {
  const bool lost = m.err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET ||
                    m.err == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE;
  const bool unknown = m.err == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION ||
                       m.err == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC ||
                       m.err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
  log::warn("bridge", lost ? "position_out_of_range" : "ingress_error",
            {{"topic", names_[s.topic]},
             {"partition", s.shard},
             {"position", s.next},
             {"error", rdk::name_of(m.err)},
             {"reason", rd_kafka_message_errstr(&m)}});
  if (lost) set_doubt(s, ingress_slot::doubt::range);
  if (unknown && s.in_doubt == ingress_slot::doubt::none)
    set_doubt(s, ingress_slot::doubt::existence);
}

void ingress_poller::on_read_to(ingress_slot& s, std::int64_t end) {
  s.read_to = end;
  if (s.in_doubt == ingress_slot::doubt::existence) set_doubt(s, ingress_slot::doubt::none);
}

void ingress_poller::set_doubt(ingress_slot& s, ingress_slot::doubt d) {
  doubtful_ +=
      (d != ingress_slot::doubt::none ? 1 : 0) - (s.in_doubt != ingress_slot::doubt::none ? 1 : 0);
  s.in_doubt = d;
  s.looks = 0;
  s.look_at =
      std::chrono::steady_clock::now() + (d == ingress_slot::doubt::existence ? look_again : 0ms);
}

void ingress_poller::look_at_doubtful() {
  if (doubtful_ == 0) return;
  const auto now = std::chrono::steady_clock::now();
  for (auto& row : slots_)
    for (auto& s : row)
      if (s && s->in_doubt != ingress_slot::doubt::none && s->look_at <= now) {
        s->look_at = now + look_again;
        look_at(*s);
      }
}

/// `f` runs on the polling thread, with the answer, unless the slot has gone another way meanwhile.
template <class Answer, class F>
std::function<void(Answer)> ingress_poller::answered(ingress_slot& s, F f) {
  return [this, &s, life = s.life, f](Answer answer) {
    post([this, &s, life, f, answer] {
      if (s.life == life && s.in_doubt != ingress_slot::doubt::none && answer)
        (this->*f)(s, *answer);
    });
  };
}

void ingress_poller::look_at(ingress_slot& s) {
  if (s.in_doubt == ingress_slot::doubt::range)
    inspector_->find_range(
        names_[s.topic], s.shard.value(),
        answered<std::optional<partition_inspector::range>>(s, &ingress_poller::on_range));
  else
    inspector_->count_partitions(
        names_[s.topic], answered<std::optional<std::uint32_t>>(s, &ingress_poller::on_count));
}

void ingress_poller::on_range(ingress_slot& s, const partition_inspector::range& range) {
  using enum unreadable_log::cause;
  if (s.next >= range.low && s.next <= range.high) return restart_slot(s);
  report(s, {s.topic, s.next < range.low ? truncated : ended, position(s.next), position(range.low),
             position(range.high)});
}

void ingress_poller::on_count(ingress_slot& s, const std::uint32_t& partitions) {
  if (s.shard.value() < partitions)
    return s.assigned && s.looks == 0 ? set_doubt(s, ingress_slot::doubt::none) : restart_slot(s);
  if (++s.looks >= looks_max)
    report(s, {s.topic, unreadable_log::cause::unknown, position(s.next), {}, {}});
}

void ingress_poller::restart_slot(ingress_slot& s) {
  const auto from = s.next;
  stop_slot(s);
  start_slot(s, from);
}

void ingress_poller::report(ingress_slot& s, unreadable_log what) {
  const auto to = s.to;
  stop_slot(s);
  to->unreadable(what);
}

/// What the client knows of a log's end comes with its records: a partition that brings none would
/// look as if it had been read to its end. Nor does it tell a partition whose topic has gone.
void ingress_poller::look_at_ends() {
  const auto now = std::chrono::steady_clock::now();
  if (asking_ends_ > 0 || now - ends_asked_ < ends_every || client_->away_since()) return;
  ends_asked_ = now;
  // A topic at a time: one that is unknown spoils the answer about all.
  for (std::size_t topic = 0; topic < slots_.size(); ++topic) {
    // A slot that is tried again each second has a new life by the time the answer comes.
    std::vector<std::pair<ingress_slot*, std::int64_t>> asked;
    for (auto& s : slots_[topic])
      if (s && s->wanted && s->looks == 0) asked.emplace_back(s.get(), s->assignment);
    if (asked.empty()) continue;
    rdk::partitions_ptr list(rd_kafka_topic_partition_list_new(static_cast<int>(asked.size())));
    for (const auto& [s, assignment] : asked)
      rd_kafka_topic_partition_list_add(list.get(), names_[topic].c_str(),
                                        static_cast<std::int32_t>(s->shard.value()))
          ->offset = RD_KAFKA_OFFSET_END;
    ++asking_ends_;
    inspector_->find_ends(std::move(list),
                          [this, asked = std::move(asked)](std::vector<std::int64_t> ends) {
                            post([this, asked, ends = std::move(ends)] { on_ends(asked, ends); });
                          });
  }
}

void ingress_poller::on_ends(const std::vector<std::pair<ingress_slot*, std::int64_t>>& asked,
                             const std::vector<std::int64_t>& ends) {
  --asking_ends_;
  for (std::size_t i = 0; i < ends.size(); ++i) {
    auto& [s, assignment] = asked[i];
    if (!s->wanted || s->assignment != assignment) continue;
    if (ends[i] >= 0)
      tell_end(*s, records_end(*s, std::max(ends[i], s->end)));
    else if (s->in_doubt == ingress_slot::doubt::none)
      set_doubt(*s, ingress_slot::doubt::existence);
  }
}

}  // namespace troupe::bridge
