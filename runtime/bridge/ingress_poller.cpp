#include "runtime/bridge/ingress_poller.hpp"

#include <algorithm>
#include <utility>

namespace troupe::bridge {

namespace {

using namespace std::chrono_literals;

constexpr auto idle_wait = 500ms;
constexpr auto nudge_every = 20ms;

std::size_t nudge_below(const ingress_options& o) {
  return o.prefetch_records / 4;
}

rdk::settings consumer_defaults(const ingress_options& o) {
  return {{"fetch.wait.max.ms", std::to_string(o.fetch_wait.count())},
          {"fetch.error.backoff.ms", "20"},
          {"check.crcs", "false"},
          {"fetch.max.bytes", "8388608"},
          {"queued.min.messages", std::to_string(o.prefetch_records)},
          {"queued.max.messages.kbytes", std::to_string(o.prefetch_kib_max)}};
}

// A group's name is asked for by the client; nothing is ever stored under it.
rdk::settings consumer_fixed() {
  return {{"group.id", "troupe"},
          {"enable.auto.commit", "false"},
          {"enable.auto.offset.store", "false"},
          {"auto.offset.reset", "error"},
          {"enable.partition.eof", "false"}};
}

}  // namespace

ingress_poller::ingress_poller(ingress_options options)
    : options_(std::move(options)),
      client_(std::make_shared<rdk::client>(RD_KAFKA_CONSUMER, "ingress", options_.kafka,
                                            consumer_defaults(options_), consumer_fixed())),
      slots_(options_.topics.size()),
      buffer_(options_.poll_records_max) {
  rd_kafka_poll_set_consumer(client_->get());
  queue_.reset(rd_kafka_queue_get_consumer(client_->get()));
  const std::uint64_t one = 1;
  rd_kafka_queue_io_event_enable(queue_.get(), total_->wake.fd(), &one, sizeof one);
  for (const auto& topic : options_.topics) {
    names_.push_back(options_.kafka.kafka_name(topic));
    topics_.emplace_back(rd_kafka_topic_new(client_->get(), names_.back().c_str(), nullptr));
  }
  inspector_ = std::make_unique<partition_inspector>(client_);
  thread_ = std::thread([this] { run(); });
}

ingress_poller::~ingress_poller() {
  stop_ = true;
  total_->wake.signal();
  thread_.join();
  inspector_.reset();
  rd_kafka_queue_io_event_enable(queue_.get(), -1, nullptr, 0);
  queue_.reset();
  topics_.clear();
  rd_kafka_assign(client_->get(), nullptr);
  rd_kafka_consumer_close(client_->get());
}

void ingress_poller::run() {
  while (!stop_) {
    run_commands();
    look_at_doubtful();
    release_drained();
    if (held_back()) {
      total_->wake.wait(static_cast<int>(idle_wait.count()));
    } else if (poll() == 0) {
      const bool starved = nudge();
      total_->wake.wait(static_cast<int>((starved ? nudge_every : idle_wait).count()));
    }
  }
}

void ingress_poller::run_commands() {
  std::deque<std::function<void()>> now;
  {
    const std::lock_guard lock(mutex_);
    now.swap(commands_);
  }
  for (auto& command : now) command();
}

/// Whether so much is in flight that polling must wait; then the last drop below half wakes us.
bool ingress_poller::held_back() {
  auto& all = total_->all;
  const auto above = [&](std::int64_t share) {
    return all.records.load() > options_.inflight_max / share ||
           all.bytes.load() > options_.inflight_bytes_max / share;
  };
  if (!stalled_ && !above(1)) return false;
  all.waiting = true;
  stalled_ = above(2);
  if (!stalled_) all.waiting = false;
  return stalled_;
}

std::size_t ingress_poller::poll() {
  const auto n = rd_kafka_consume_batch_queue(queue_.get(), 0, buffer_.data(), buffer_.size());
  if (n <= 0) return 0;
  client_->alive();
  sort({buffer_.data(), static_cast<std::size_t>(n)});
  if (rd_kafka_queue_length(queue_.get()) < nudge_below(options_)) nudge();
  return static_cast<std::size_t>(n);
}

/// Wakes the client's fetching threads when little is left and some partition has more. Returns
/// whether one has.
bool ingress_poller::nudge() {
  const auto now = std::chrono::steady_clock::now();
  if (now - nudged_ < nudge_every) return true;
  rdk::partitions_ptr behind(rd_kafka_topic_partition_list_new(16));
  for (const auto& row : slots_)
    for (const auto& s : row)
      if (s && s->assigned && !s->paused &&
          (s->in_doubt == ingress_slot::doubt::existence || s->next < log_end(*s)))
        rd_kafka_topic_partition_list_add(behind.get(), names_[s->topic].c_str(),
                                          static_cast<std::int32_t>(s->shard.value()))
            ->offset = RD_KAFKA_OFFSET_END;
  if (behind->cnt == 0) return false;
  nudged_ = now;
  inspector_->nudge(std::move(behind));
  return true;
}

/// Messages come in runs of one partition.
void ingress_poller::sort(std::span<rd_kafka_message_t* const> messages) {
  ingress_slot* current = nullptr;
  const rd_kafka_message_t* last = nullptr;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    auto* m = messages[i];
    if (last == nullptr || m->partition != last->partition || m->rkt != last->rkt)
      current = slot_of(*m);
    last = m;
    if (m->err != RD_KAFKA_RESP_ERR_NO_ERROR) [[unlikely]] {
      on_error(current, *m);
      last = nullptr;
      rd_kafka_message_destroy(m);
    } else if (current == nullptr || !current->assigned || m->offset < current->next) [[unlikely]] {
      // Around pauses and restarts the client may hand a record over again.
      last = nullptr;
      rd_kafka_message_destroy(m);
    } else {
      fill(*current, m, messages.size() - i);
    }
  }
  for (auto* s : touched_) hand_over(*s);
  touched_.clear();
}

ingress_slot* ingress_poller::slot_of(const rd_kafka_message_t& m) {
  const auto shard = static_cast<std::size_t>(m.partition);
  for (std::size_t topic = 0; topic < topics_.size(); ++topic) {
    if (m.rkt != topics_[topic].get()) continue;
    return m.partition >= 0 && shard < slots_[topic].size() ? slots_[topic][shard].get() : nullptr;
  }
  return nullptr;
}

void ingress_poller::fill(ingress_slot& s, rd_kafka_message_t* m, std::size_t expected) {
  if (!s.batch) {
    s.batch = std::make_shared<record_batch>();
    s.loan = std::make_shared<counted_loan>(client_, total_, s.gauge);
    const auto room = std::min<std::size_t>(expected, 256);
    s.batch->records.reserve(room);
    s.loan->reserve(room);
    touched_.push_back(&s);
  }
  s.batch->records.push_back(rdk::view_of(*m));
  s.loan->add(m);
  s.next = m->offset + 1;
}

void ingress_poller::hand_over(ingress_slot& s) {
  if (s.in_doubt != ingress_slot::doubt::none) set_doubt(s, ingress_slot::doubt::none);
  auto batch = std::exchange(s.batch, nullptr);
  batch->shard = s.shard;
  batch->topic = s.topic;
  batch->assignment = s.assignment;
  batch->log_end = log_end(s);
  s.loan->count();
  batch->storage = std::exchange(s.loan, nullptr);
  if (!s.full && s.gauge->records.load() > options_.shard_inflight_max) {
    s.full = true;
    s.gauge->waiting = true;
    full_.push_back(&s);
    apply_pause(s);
  }
  s.to->records(std::move(batch));
}

std::int64_t ingress_poller::log_end(const ingress_slot& s) const {
  std::int64_t low = 0, high = 0;
  const auto partition = static_cast<std::int32_t>(s.shard.value());
  rd_kafka_get_watermark_offsets(client_->get(), names_[s.topic].c_str(), partition, &low, &high);
  return std::max(high, s.next);
}

}  // namespace troupe::bridge
