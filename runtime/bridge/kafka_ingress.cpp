#include "runtime/bridge/kafka_ingress.hpp"

#include <algorithm>
#include <array>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>

#include "runtime/base/clock.hpp"
#include "runtime/base/log.hpp"
#include "runtime/bridge/inflight.hpp"
#include "runtime/bridge/kafka_client.hpp"

namespace troupe::bridge {

namespace {

using namespace std::chrono_literals;

constexpr auto idle_wait = 500ms;
constexpr auto look_again = 1'000ms;
/// A broker that has just restarted may not know its topics yet.
constexpr int looks_max = 5;
constexpr int query_timeout_ms = 1'000;

rdk::settings consumer_defaults(const ingress_options& o) {
  return {{"fetch.wait.max.ms", std::to_string(o.fetch_wait.count())},
          {"fetch.error.backoff.ms", "20"},
          {"check.crcs", "false"},
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

/// One partition that a shard reads.
struct slot {
  std::uint32_t topic = 0;
  shard_id shard;
  std::int64_t assignment = 0;
  std::shared_ptr<const ingress_port::receiver> to;
  std::int64_t next = 0;  // Offset after the last record handed over.
  bool assigned = false;
  bool held = false;    // By the host.
  bool full = false;    // By what is in flight.
  bool paused = false;  // As the client knows it.
  std::shared_ptr<inflight_gauge> gauge = std::make_shared<inflight_gauge>();
  // Until its first record a slot is in doubt: the client does not always say that a position or a
  // partition is missing.
  enum class doubt : std::uint8_t { none, existence, range };
  doubt in_doubt = doubt::none;
  steady_time look_at{};
  int looks = 0;
  // Being filled while one poll's messages are sorted.
  std::shared_ptr<record_batch> batch;
  std::shared_ptr<counted_loan> loan;
};

}  // namespace

class kafka_ingress::poller {
 public:
  explicit poller(ingress_options options);
  ~poller();

  void post(std::function<void()> command) {
    {
      const std::lock_guard lock(mutex_);
      commands_.push_back(std::move(command));
    }
    total_->wake.signal();
  }
  std::int64_t inflight() const { return total_->all.records.load(); }

  // On the polling thread only, by `post`.
  void assign(shard_id shard, std::int64_t assignment, const std::vector<start>& from,
              const std::shared_ptr<const receiver>& to);
  void unassign(shard_id shard);
  void hold(shard_id shard, bool held);

 private:
  void run();
  void run_commands();
  bool held_back();
  std::size_t poll();
  void sort(std::span<rd_kafka_message_t* const> messages);
  slot* slot_of(const rd_kafka_message_t& m);
  void fill(slot& s, rd_kafka_message_t* m, std::size_t expected);
  void hand_over(slot& s);
  std::int64_t log_end(const slot& s) const;

  slot& slot_at(std::uint32_t topic, shard_id shard);
  template <class F>
  void each_of(shard_id shard, F&& f);
  void start_slot(slot& s, std::int64_t from);
  void stop_slot(slot& s);
  void restart_slot(slot& s);
  void apply_pause(slot& s);
  void release_drained();

  void on_error(slot* s, const rd_kafka_message_t& m);
  void set_doubt(slot& s, slot::doubt d);
  void look_at_doubtful();
  void look_at_range(slot& s);
  void look_at_existence(slot& s);
  std::optional<std::uint32_t> partitions(std::uint32_t topic);
  void report_truncated(slot& s, std::int64_t first);

  const ingress_options options_;
  std::shared_ptr<inflight_total> total_ = std::make_shared<inflight_total>();
  std::shared_ptr<rdk::client> client_;
  rdk::queue_ptr queue_;
  std::vector<std::string> names_;  // In Kafka, by topic index.
  std::vector<rdk::topic_ptr>
      topics_;  // Pinned, so that a message's topic is known by its address.
  std::vector<std::vector<std::unique_ptr<slot>>> slots_;  // By topic and shard.
  std::vector<rd_kafka_message_t*> buffer_;
  std::vector<slot*> touched_;
  std::vector<slot*> full_;
  struct partition_count {
    steady_time asked{};
    std::optional<std::uint32_t> answer;  // 0: no such topic. Nothing: no answer.
  };
  std::vector<partition_count> counts_;  // By topic.
  int doubtful_ = 0;
  bool stalled_ = false;

  std::mutex mutex_;
  std::deque<std::function<void()>> commands_;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

kafka_ingress::poller::poller(ingress_options options)
    : options_(std::move(options)),
      client_(std::make_shared<rdk::client>(RD_KAFKA_CONSUMER, "ingress", options_.kafka,
                                            consumer_defaults(options_), consumer_fixed())),
      slots_(options_.topics.size()),
      buffer_(options_.poll_records_max),
      counts_(options_.topics.size()) {
  rd_kafka_poll_set_consumer(client_->get());
  queue_.reset(rd_kafka_queue_get_consumer(client_->get()));
  const std::uint64_t one = 1;
  rd_kafka_queue_io_event_enable(queue_.get(), total_->wake.fd(), &one, sizeof one);
  for (const auto& topic : options_.topics) {
    names_.push_back(options_.kafka.kafka_name(topic));
    topics_.emplace_back(rd_kafka_topic_new(client_->get(), names_.back().c_str(), nullptr));
  }
  thread_ = std::thread([this] { run(); });
}

kafka_ingress::poller::~poller() {
  stop_ = true;
  total_->wake.signal();
  thread_.join();
  rd_kafka_queue_io_event_enable(queue_.get(), -1, nullptr, 0);
  queue_.reset();
  topics_.clear();
  rd_kafka_assign(client_->get(), nullptr);
  rd_kafka_consumer_close(client_->get());
}

void kafka_ingress::poller::run() {
  while (!stop_) {
    run_commands();
    look_at_doubtful();
    release_drained();
    if (held_back() || poll() == 0) total_->wake.wait(static_cast<int>(idle_wait.count()));
  }
}

void kafka_ingress::poller::run_commands() {
  std::deque<std::function<void()>> now;
  {
    const std::lock_guard lock(mutex_);
    now.swap(commands_);
  }
  for (auto& command : now) command();
}

/// Whether so much is in flight that polling must wait; then the last drop below half wakes us.
bool kafka_ingress::poller::held_back() {
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

std::size_t kafka_ingress::poller::poll() {
  const auto n = rd_kafka_consume_batch_queue(queue_.get(), 0, buffer_.data(), buffer_.size());
  if (n <= 0) return 0;
  client_->alive();
  sort({buffer_.data(), static_cast<std::size_t>(n)});
  return static_cast<std::size_t>(n);
}

/// Messages come in runs of one partition.
void kafka_ingress::poller::sort(std::span<rd_kafka_message_t* const> messages) {
  slot* current = nullptr;
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
      last = nullptr;
      rd_kafka_message_destroy(m);
    } else {
      fill(*current, m, messages.size() - i);
    }
  }
  for (auto* s : touched_) hand_over(*s);
  touched_.clear();
}

slot* kafka_ingress::poller::slot_of(const rd_kafka_message_t& m) {
  const auto shard = static_cast<std::size_t>(m.partition);
  for (std::size_t topic = 0; topic < topics_.size(); ++topic) {
    if (m.rkt != topics_[topic].get()) continue;
    return m.partition >= 0 && shard < slots_[topic].size() ? slots_[topic][shard].get() : nullptr;
  }
  return nullptr;
}

void kafka_ingress::poller::fill(slot& s, rd_kafka_message_t* m, std::size_t expected) {
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

void kafka_ingress::poller::hand_over(slot& s) {
  if (s.in_doubt != slot::doubt::none) set_doubt(s, slot::doubt::none);
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

std::int64_t kafka_ingress::poller::log_end(const slot& s) const {
  std::int64_t low = 0, high = 0;
  const auto partition = static_cast<std::int32_t>(s.shard.value());
  rd_kafka_get_watermark_offsets(client_->get(), names_[s.topic].c_str(), partition, &low, &high);
  return std::max(high, s.next);
}

// ---- commands ----------------------------------------------------------------------------------

slot& kafka_ingress::poller::slot_at(std::uint32_t topic, shard_id shard) {
  auto& row = slots_.at(topic);
  if (row.size() <= shard.value()) row.resize(shard.value() + 1);
  auto& s = row[shard.value()];
  if (!s) {
    s = std::make_unique<slot>();
    s->topic = topic;
    s->shard = shard;
  }
  return *s;
}

template <class F>
void kafka_ingress::poller::each_of(shard_id shard, F&& f) {
  for (auto& row : slots_)
    if (shard.value() < row.size() && row[shard.value()]) f(*row[shard.value()]);
}

void kafka_ingress::poller::assign(shard_id shard, std::int64_t assignment,
                                   const std::vector<start>& from,
                                   const std::shared_ptr<const receiver>& to) {
  each_of(shard, [&](slot& s) {
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

void kafka_ingress::poller::unassign(shard_id shard) {
  each_of(shard, [this](slot& s) {
    stop_slot(s);
    s.held = false;
    s.to = nullptr;
  });
}

void kafka_ingress::poller::hold(shard_id shard, bool held) {
  each_of(shard, [&](slot& s) {
    s.held = held;
    apply_pause(s);
  });
}

void kafka_ingress::poller::start_slot(slot& s, std::int64_t from) {
  s.gauge = std::make_shared<inflight_gauge>();
  s.next = from;
  const auto list = rdk::one_partition(names_[s.topic], s.shard.value(), from);
  const rdk::error_ptr failed(rd_kafka_incremental_assign(client_->get(), list.get()));
  s.assigned = !failed;
  if (failed)
    log::error("bridge", "assign_failed",
               {{"topic", names_[s.topic]},
                {"partition", s.shard},
                {"reason", rd_kafka_error_string(failed.get())}});
  set_doubt(s, slot::doubt::existence);
  apply_pause(s);
}

void kafka_ingress::poller::stop_slot(slot& s) {
  set_doubt(s, slot::doubt::none);
  if (s.full) std::erase(full_, &s);
  s.full = false;
  if (!s.assigned) return;
  // The client remembers a pause beyond the assignment.
  const bool held = std::exchange(s.held, false);
  apply_pause(s);
  s.held = held;
  s.assigned = false;
  const auto list = rdk::one_partition(names_[s.topic], s.shard.value(), 0);
  const rdk::error_ptr failed(rd_kafka_incremental_unassign(client_->get(), list.get()));
  if (failed)
    log::error("bridge", "unassign_failed",
               {{"topic", names_[s.topic]},
                {"partition", s.shard},
                {"reason", rd_kafka_error_string(failed.get())}});
}

void kafka_ingress::poller::apply_pause(slot& s) {
  const bool wanted = s.held || s.full;
  if (!s.assigned || s.paused == wanted) return;
  s.paused = wanted;
  const auto list = rdk::one_partition(names_[s.topic], s.shard.value(), 0);
  if (wanted)
    rd_kafka_pause_partitions(client_->get(), list.get());
  else
    rd_kafka_resume_partitions(client_->get(), list.get());
}

void kafka_ingress::poller::release_drained() {
  std::erase_if(full_, [this](slot* s) {
    if (s->gauge->records.load() > options_.shard_inflight_max / 2) return false;
    s->full = false;
    s->gauge->waiting = false;
    apply_pause(*s);
    return true;
  });
}

// ---- trouble -----------------------------------------------------------------------------------

void kafka_ingress::poller::on_error(slot* s, const rd_kafka_message_t& m) {
  const auto error = rdk::name_of(m.err);
  if (s == nullptr || !s->assigned) {
    log::debug("bridge", "ingress_error",
               {{"error", error}, {"reason", rd_kafka_message_errstr(&m)}});
    return;
  }
  const bool lost = m.err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET ||
                    m.err == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE;
  const bool unknown = m.err == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION ||
                       m.err == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC ||
                       m.err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
  log::warn("bridge", lost ? "position_out_of_range" : "ingress_error",
            {{"topic", names_[s->topic]},
             {"partition", s->shard},
             {"position", s->next},
             {"error", error},
             {"reason", rd_kafka_message_errstr(&m)}});
  if (lost) set_doubt(*s, slot::doubt::range);
  if (unknown && s->in_doubt == slot::doubt::none) set_doubt(*s, slot::doubt::existence);
}

void kafka_ingress::poller::set_doubt(slot& s, slot::doubt d) {
  doubtful_ += (d != slot::doubt::none ? 1 : 0) - (s.in_doubt != slot::doubt::none ? 1 : 0);
  s.in_doubt = d;
  s.looks = 0;
  s.look_at = std::chrono::steady_clock::now() + (d == slot::doubt::existence ? look_again : 0ms);
}

void kafka_ingress::poller::look_at_doubtful() {
  if (doubtful_ == 0) return;
  const auto now = std::chrono::steady_clock::now();
  for (auto& row : slots_)
    for (auto& s : row) {
      if (!s || s->in_doubt == slot::doubt::none || s->look_at > now) continue;
      s->look_at = now + look_again;
      if (s->in_doubt == slot::doubt::range)
        look_at_range(*s);
      else
        look_at_existence(*s);
    }
}

void kafka_ingress::poller::look_at_range(slot& s) {
  std::int64_t low = 0, high = 0;
  const auto partition = static_cast<std::int32_t>(s.shard.value());
  const auto failed = rd_kafka_query_watermark_offsets(client_->get(), names_[s.topic].c_str(),
                                                       partition, &low, &high, query_timeout_ms);
  if (failed != RD_KAFKA_RESP_ERR_NO_ERROR) return;
  if (s.next < low || s.next > high) return report_truncated(s, low);
  restart_slot(s);
}

void kafka_ingress::poller::look_at_existence(slot& s) {
  const auto count = partitions(s.topic);
  if (!count) return;
  if (s.shard.value() < *count)
    return s.looks == 0 ? set_doubt(s, slot::doubt::none) : restart_slot(s);
  if (++s.looks >= looks_max) report_truncated(s, -1);
}

/// Asked at most once in a while for all slots of the topic.
std::optional<std::uint32_t> kafka_ingress::poller::partitions(std::uint32_t topic) {
  auto& known = counts_[topic];
  const auto now = std::chrono::steady_clock::now();
  if (now - known.asked < look_again / 2) return known.answer;
  known = {now, std::nullopt};
  const rd_kafka_metadata_t* found = nullptr;
  const auto failed =
      rd_kafka_metadata(client_->get(), 0, topics_[topic].get(), &found, query_timeout_ms);
  const rdk::metadata_ptr metadata(found);
  if (failed != RD_KAFKA_RESP_ERR_NO_ERROR || metadata->topic_cnt != 1) return std::nullopt;
  const auto& t = metadata->topics[0];
  if (t.err == RD_KAFKA_RESP_ERR_NO_ERROR)
    known.answer = static_cast<std::uint32_t>(t.partition_cnt);
  if (t.err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) known.answer = 0;
  return known.answer;
}

void kafka_ingress::poller::restart_slot(slot& s) {
  const auto from = s.next;
  stop_slot(s);
  start_slot(s, from);
}

void kafka_ingress::poller::report_truncated(slot& s, std::int64_t first) {
  const auto to = s.to;
  stop_slot(s);
  to->truncated(s.topic, position(s.next), position(first));
}

// ---- the port ----------------------------------------------------------------------------------

kafka_ingress::kafka_ingress(ingress_options options)
    : poller_(std::make_unique<poller>(std::move(options))) {}
kafka_ingress::~kafka_ingress() = default;

void kafka_ingress::assign(shard_id shard, std::int64_t assignment, std::vector<start> from,
                           receiver to) {
  auto shared = std::make_shared<const receiver>(std::move(to));
  poller_->post([p = poller_.get(), shard, assignment, from = std::move(from),
                 to = std::move(shared)] { p->assign(shard, assignment, from, to); });
}

void kafka_ingress::unassign(shard_id shard) {
  poller_->post([p = poller_.get(), shard] { p->unassign(shard); });
}
void kafka_ingress::pause(shard_id shard) {
  poller_->post([p = poller_.get(), shard] { p->hold(shard, true); });
}
void kafka_ingress::resume(shard_id shard) {
  poller_->post([p = poller_.get(), shard] { p->hold(shard, false); });
}
std::int64_t kafka_ingress::inflight() const {
  return poller_->inflight();
}

}  // namespace troupe::bridge
