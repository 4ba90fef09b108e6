#include "runtime/bridge/ingress_poller.hpp"

#include <algorithm>
#include <utility>

#include "runtime/base/ensure.hpp"
#include "runtime/base/log.hpp"

namespace troupe::bridge {

namespace {

using namespace std::chrono_literals;

constexpr auto idle_wait = 500ms;
constexpr auto nudge_every = 20ms;

std::int64_t nudge_below(const ingress_options& o) {
  return o.prefetch_records / 4;
}

rdk::settings consumer_defaults(const ingress_options& o) {
  return {{"fetch.wait.max.ms", std::to_string(o.fetch_wait.count())},
          {"fetch.error.backoff.ms", "20"},
          {"check.crcs", "false"},
          {"fetch.max.bytes", "1048576"},
          {"fetch.message.max.bytes", "262144"},
          {"queued.min.messages", std::to_string(o.prefetch_records)},
          {"queued.max.messages.kbytes", std::to_string(o.prefetch_kib_max)}};
}

// A group's name is asked for by the client; nothing is ever stored under it.
rdk::settings consumer_fixed() {
  return {{"group.id", "troupe"},
          {"enable.auto.commit", "false"},
          {"enable.auto.offset.store", "false"},
          {"auto.offset.reset", "error"},
          {"enable.partition.eof", "true"}};
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
  rd_kafka_queue_io_event_enable(queue_.get(), total_->wake.fd(), &wake_up, sizeof wake_up);
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
  for (auto& row : slots_)
    for (auto& s : row)
      if (s && s->queue) rd_kafka_queue_io_event_enable(s->queue.get(), -1, nullptr, 0);
  slots_.clear();
  rd_kafka_queue_io_event_enable(queue_.get(), -1, nullptr, 0);
  queue_.reset();
  topics_.clear();
  rd_kafka_assign(client_->get(), nullptr);
  rd_kafka_consumer_close(client_->get());
}

void ingress_poller::run() {
  while (!stop_) {
    run_commands();
    client_->look_for_brokers();
    look_at_doubtful();
    look_at_ends();
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
  assign_started();
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
  poll_client();
  std::size_t taken = 0;
  ++turn_;
  for (std::size_t i = 0; i < assigned_.size() && !held_back(); ++i) {
    auto& s = *assigned_[(turn_ + i) % assigned_.size()];
    if (s.open()) taken += poll_slot(s);
  }
  if (taken > 0) nudge();
  return taken;
}

/// Errors that are no partition's; records come by the slots' queues only.
void ingress_poller::poll_client() {
  const auto n = rd_kafka_consume_batch_queue(queue_.get(), 0, buffer_.data(), buffer_.size());
  for (ssize_t i = 0; i < n; ++i) {
    auto* m = buffer_[static_cast<std::size_t>(i)];
    ensure(m->err != RD_KAFKA_RESP_ERR_NO_ERROR, "records come by their partitions' queues");
    log::debug("bridge", "ingress_error",
               {{"error", rdk::name_of(m->err)}, {"reason", rd_kafka_message_errstr(m)}});
    rd_kafka_message_destroy(m);
  }
}

std::size_t ingress_poller::poll_slot(ingress_slot& s) {
  const auto room = options_.shard_inflight_max - s.gauge->records.load();
  const auto n = rd_kafka_consume_batch_queue(
      s.queue.get(), 0, buffer_.data(),
      std::min(buffer_.size(), static_cast<std::size_t>(std::max<std::int64_t>(room, 1))));
  if (n <= 0) return 0;
  client_->alive();
  hand_over(s, {buffer_.data(), static_cast<std::size_t>(n)});
  return static_cast<std::size_t>(n);
}

void ingress_poller::hand_over(ingress_slot& s, std::span<rd_kafka_message_t* const> messages) {
  auto batch = std::make_shared<record_batch>();
  auto loan = std::make_shared<counted_loan>(client_, total_, s.gauge);
  batch->records.reserve(messages.size());
  loan->reserve(messages.size());
  for (auto* m : messages) {
    // Around a restart the client may hand a record over again.
    if (m->err == RD_KAFKA_RESP_ERR_NO_ERROR && m->offset >= s.next) [[likely]] {
      batch->records.push_back(rdk::view_of(*m));
      loan->add(m);
      s.next = m->offset + 1;
      continue;
    }
    if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
      on_read_to(s, m->offset);
    else if (m->err != RD_KAFKA_RESP_ERR_NO_ERROR)
      on_error(s, *m);
    rd_kafka_message_destroy(m);
  }
  if (batch->records.empty()) return tell_end(s, log_end(s));
  if (s.in_doubt != ingress_slot::doubt::none) set_doubt(s, ingress_slot::doubt::none);
  batch->shard = s.shard;
  batch->topic = s.topic;
  batch->assignment = s.assignment;
  batch->log_end = s.end = log_end(s);
  loan->count();
  batch->storage = std::move(loan);
  if (s.gauge->records.load() >= options_.shard_inflight_max) {
    s.full = true;
    s.gauge->waiting = true;
    full_.push_back(&s);
  }
  s.to->records(std::move(batch));
}

/// Wakes the client's fetching threads when little is left of a partition that has more. Returns
/// whether one has.
bool ingress_poller::nudge() {
  const auto now = std::chrono::steady_clock::now();
  if (now - nudged_ < nudge_every) return true;
  rdk::partitions_ptr behind(rd_kafka_topic_partition_list_new(16));
  for (const auto* s : assigned_) {
    const auto left = static_cast<std::int64_t>(rd_kafka_queue_length(s->queue.get()));
    if (s->open() && left < nudge_below(options_) &&
        (s->in_doubt == ingress_slot::doubt::existence || s->next + left < log_end(*s)))
      rd_kafka_topic_partition_list_add(behind.get(), names_[s->topic].c_str(),
                                        static_cast<std::int32_t>(s->shard.value()))
          ->offset = RD_KAFKA_OFFSET_END;
  }
  if (behind->cnt == 0) return false;
  nudged_ = now;
  inspector_->nudge(std::move(behind));
  return true;
}

/// As the client knows it from its fetches, or as it was asked for.
std::int64_t ingress_poller::log_end(const ingress_slot& s) const {
  std::int64_t low = 0, high = 0;
  const auto partition = static_cast<std::int32_t>(s.shard.value());
  rd_kafka_get_watermark_offsets(client_->get(), names_[s.topic].c_str(), partition, &low, &high);
  return records_end(s, std::max(high, s.end));
}

std::int64_t ingress_poller::records_end(const ingress_slot& s, std::int64_t end) {
  return end <= std::max(s.next, s.read_to) ? s.next : end;
}

void ingress_poller::tell_end(ingress_slot& s, std::int64_t end) {
  if (std::exchange(s.end, end) != end) s.to->log_end(s.topic, position(end));
}

}  // namespace troupe::bridge
