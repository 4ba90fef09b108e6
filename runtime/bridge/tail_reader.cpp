#include "runtime/bridge/tail_reader.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <deque>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <utility>

#include "runtime/base/clock.hpp"
#include "runtime/base/log.hpp"
#include "runtime/bridge/kafka_client.hpp"
#include "runtime/bridge/sequence_tail.hpp"
#include "runtime/bridge/wake_event.hpp"

namespace troupe::bridge {

namespace {

using namespace std::chrono_literals;

constexpr auto retry_after = 500ms;
constexpr int ends_ms_max = 1'000;
/// An attempt that has brought nothing for so long starts anew.
constexpr auto silence_max = 10'000ms;
/// Most records read back from a partition's end.
constexpr std::int64_t window_max = 1'000'000;

std::optional<std::int64_t> number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

class tail_reader::worker {
 public:
  worker(const kafka_options& options, std::uint32_t inflight_max);
  ~worker();

  void post(std::function<void()> command) {
    {
      const std::lock_guard lock(mutex_);
      commands_.push_back(std::move(command));
    }
    wake_.signal();
  }

  void begin(shard_id shard, const std::vector<std::string>& topics, answer to);
  void cancel(shard_id shard);

 private:
  struct tail {
    std::string topic;
    std::string name;  // In Kafka.
    std::int64_t window = 0;
    std::int64_t first_offset = -1;
    std::vector<std::int64_t> seqs;
    bool assigned = false;
    steady_time assign_at{};  // While not assigned.
    steady_time heard_at{};
    std::optional<std::int64_t> last;
  };
  struct request {
    std::vector<tail> tails;
    answer to;
  };

  void run();
  void poll();
  void take(const rd_kafka_message_t& m);
  void take_record(shard_id shard, tail& t, const rd_kafka_message_t& m);
  void take_end(shard_id shard, tail& t, std::int64_t end);
  tail* tail_of(const rd_kafka_message_t& m);
  void start(tail& t);
  void assign_due();
  void assign(std::span<tail* const> all, const rd_kafka_topic_partition_list_t& from);
  void unassign_stopped();
  void stop(shard_id shard, tail& t);
  void give_up_silent();
  void finish();

  const kafka_options options_;
  const std::uint32_t inflight_max_;
  wake_event wake_;
  rdk::client client_;
  rdk::queue_ptr queue_;
  std::map<shard_id, request> requests_;
  rdk::partitions_ptr stopped_{rd_kafka_topic_partition_list_new(16)};  // Still with the client.
  std::array<rd_kafka_message_t*, 2'000> buffer_{};

  std::mutex mutex_;
  std::deque<std::function<void()>> commands_;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

tail_reader::worker::worker(const kafka_options& options, std::uint32_t inflight_max)
    : options_(options),
      inflight_max_(inflight_max),
      client_(RD_KAFKA_CONSUMER, "egress-tails", options,
              {{"fetch.wait.max.ms", "10"}, {"fetch.error.backoff.ms", "20"}},
              {{"group.id", "troupe"},
               {"enable.auto.commit", "false"},
               {"enable.auto.offset.store", "false"},
               {"auto.offset.reset", "earliest"},
               {"isolation.level", "read_uncommitted"},
               {"enable.partition.eof", "true"}}) {
  rd_kafka_poll_set_consumer(client_.get());
  queue_.reset(rd_kafka_queue_get_consumer(client_.get()));
  const std::uint64_t one = 1;
  rd_kafka_queue_io_event_enable(queue_.get(), wake_.fd(), &one, sizeof one);
  thread_ = std::thread([this] { run(); });
}

tail_reader::worker::~worker() {
  stop_ = true;
  wake_.signal();
  thread_.join();
  rd_kafka_queue_io_event_enable(queue_.get(), -1, nullptr, 0);
  queue_.reset();
  rd_kafka_assign(client_.get(), nullptr);
  rd_kafka_consumer_close(client_.get());
}

void tail_reader::worker::run() {
  while (!stop_) {
    std::deque<std::function<void()>> now;
    {
      const std::lock_guard lock(mutex_);
      now.swap(commands_);
    }
    for (auto& command : now) command();
    give_up_silent();
    assign_due();
    poll();
    finish();
    unassign_stopped();
    wake_.wait(static_cast<int>(retry_after.count()));
  }
}

void tail_reader::worker::begin(shard_id shard, const std::vector<std::string>& topics, answer to) {
  cancel(shard);
  auto& r = requests_[shard];
  r.to = std::move(to);
  for (const auto& topic : topics) {
    auto& t = r.tails.emplace_back();
    t.topic = topic;
    t.name = options_.kafka_name(topic);
    t.window = std::int64_t{inflight_max_} + 1;
    start(t);
  }
}

void tail_reader::worker::cancel(shard_id shard) {
  const auto it = requests_.find(shard);
  if (it == requests_.end()) return;
  for (auto& t : it->second.tails) stop(shard, t);
  requests_.erase(it);
}

void tail_reader::worker::start(tail& t) {
  t.seqs.clear();
  t.first_offset = -1;
  t.assign_at = std::chrono::steady_clock::now();
}

/// Asks for the ends of all logs at once and assigns by offset. By RD_KAFKA_OFFSET_TAIL a client
/// that does not know a leader yet would try again only after half a second.
void tail_reader::worker::assign_due() {
  unassign_stopped();
  const auto now = std::chrono::steady_clock::now();
  const rdk::partitions_ptr ends(rd_kafka_topic_partition_list_new(16));
  std::vector<tail*> due;  // In the order of `ends`.
  for (auto& [shard, r] : requests_)
    for (auto& t : r.tails) {
      if (t.last || t.assigned || now < t.assign_at) continue;
      due.push_back(&t);
      rd_kafka_topic_partition_list_add(ends.get(), t.name.c_str(),
                                        static_cast<std::int32_t>(shard.value()))
          ->offset = RD_KAFKA_OFFSET_END;
    }
  if (due.empty()) return;
  rd_kafka_offsets_for_times(client_.get(), ends.get(), ends_ms_max);
  const rdk::partitions_ptr from(rd_kafka_topic_partition_list_new(16));
  std::vector<tail*> found;  // In the order of `from`.
  for (std::size_t i = 0; i < due.size(); ++i) {
    auto& p = ends->elems[i];
    auto& t = *due[i];
    t.heard_at = std::chrono::steady_clock::now();
    t.assign_at = t.heard_at + retry_after;
    if (p.err != RD_KAFKA_RESP_ERR_NO_ERROR || p.offset < 0) continue;
    if (p.offset == 0) {
      t.last = 0;
      continue;
    }
    rd_kafka_topic_partition_list_add(from.get(), t.name.c_str(), p.partition)->offset =
        std::max<std::int64_t>(0, p.offset - t.window);
    found.push_back(&t);
  }
  if (!found.empty()) assign(found, *from);
}

/// In one call, as long as all of them can be: each is a round trip to the client's own thread.
void tail_reader::worker::assign(std::span<tail* const> all,
                                 const rd_kafka_topic_partition_list_t& from) {
  const rdk::error_ptr failed(rd_kafka_incremental_assign(client_.get(), &from));
  for (auto* t : all) t->assigned = !failed;
  if (!failed) return;
  log::warn("bridge", "tail_assign_failed",
            {{"topic", all.front()->name},
             {"partition", from.elems[0].partition},
             {"partitions", all.size()},
             {"reason", rd_kafka_error_string(failed.get())}});
  for (std::size_t i = 0; all.size() > 1 && i < all.size(); ++i) {
    const auto& p = from.elems[i];
    assign(all.subspan(i, 1),
           *rdk::one_partition(p.topic, static_cast<std::uint32_t>(p.partition), p.offset));
  }
}

void tail_reader::worker::stop(shard_id shard, tail& t) {
  if (!std::exchange(t.assigned, false)) return;
  rd_kafka_topic_partition_list_add(stopped_.get(), t.name.c_str(),
                                    static_cast<std::int32_t>(shard.value()));
}

void tail_reader::worker::unassign_stopped() {
  if (stopped_->cnt == 0) return;
  const rdk::error_ptr ignored(rd_kafka_incremental_unassign(client_.get(), stopped_.get()));
  stopped_.reset(rd_kafka_topic_partition_list_new(16));
}

void tail_reader::worker::give_up_silent() {
  const auto now = std::chrono::steady_clock::now();
  for (auto& [shard, r] : requests_)
    for (auto& t : r.tails) {
      if (t.last || !t.assigned || now - t.heard_at < silence_max) continue;
      stop(shard, t);
      start(t);
    }
}

void tail_reader::worker::poll() {
  for (;;) {
    const auto n = rd_kafka_consume_batch_queue(queue_.get(), 0, buffer_.data(), buffer_.size());
    if (n <= 0) return;
    client_.alive();
    for (auto* m : std::span(buffer_.data(), static_cast<std::size_t>(n))) {
      take(*m);
      rd_kafka_message_destroy(m);
    }
  }
}

tail_reader::worker::tail* tail_reader::worker::tail_of(const rd_kafka_message_t& m) {
  if (m.rkt == nullptr || m.partition < 0) return nullptr;
  const auto it = requests_.find(shard_id(static_cast<std::uint32_t>(m.partition)));
  if (it == requests_.end()) return nullptr;
  auto& tails = it->second.tails;
  const std::string_view name = rd_kafka_topic_name(m.rkt);
  const auto t = std::ranges::find(tails, name, &tail::name);
  return t == tails.end() || !t->assigned ? nullptr : &*t;
}

void tail_reader::worker::take(const rd_kafka_message_t& m) {
  auto* t = tail_of(m);
  if (t == nullptr) return;
  const shard_id shard(static_cast<std::uint32_t>(m.partition));
  t->heard_at = std::chrono::steady_clock::now();
  if (m.err == RD_KAFKA_RESP_ERR_NO_ERROR) return take_record(shard, *t, m);
  if (m.err == RD_KAFKA_RESP_ERR__PARTITION_EOF) return take_end(shard, *t, m.offset);
  log::warn("bridge", "tail_unreadable",
            {{"topic", t->name},
             {"partition", shard},
             {"error", rdk::name_of(m.err)},
             {"reason", rd_kafka_message_errstr(&m)}});
  stop(shard, *t);
  start(*t);
  t->assign_at = t->heard_at + retry_after;
}

void tail_reader::worker::take_record(shard_id shard, tail& t, const rd_kafka_message_t& m) {
  if (t.first_offset < 0) t.first_offset = m.offset;
  if (number(rdk::header_of(m, "shard")) != std::int64_t{shard.value()}) return;
  if (const auto seq = number(rdk::header_of(m, "seq"))) t.seqs.push_back(*seq);
}

void tail_reader::worker::take_end(shard_id shard, tail& t, std::int64_t end) {
  const bool whole = end < t.window || t.first_offset < 0 || t.first_offset > end - t.window;
  const auto part = !whole                ? log_part::some
                    : t.first_offset == 0 ? log_part::from_first
                                          : log_part::rest;
  const auto found = read_tail(t.seqs, part, inflight_max_);
  stop(shard, t);
  if (!found.certain && t.window < window_max) {
    t.window = std::min(window_max, t.window * 8);
    start(t);
    wake_.signal();
    return;
  }
  if (!found.certain)
    log::warn("bridge", "tail_uncertain",
              {{"topic", t.name}, {"partition", shard}, {"read", t.window}, {"seq", found.last}});
  t.last = found.last;
}

void tail_reader::worker::finish() {
  for (auto it = requests_.begin(); it != requests_.end();) {
    auto& r = it->second;
    if (!std::ranges::all_of(r.tails, [](const tail& t) { return t.last.has_value(); })) {
      ++it;
      continue;
    }
    std::map<std::string, sequence> out;
    for (const auto& t : r.tails) out[t.topic] = sequence(*t.last);
    const auto to = std::move(r.to);
    it = requests_.erase(it);
    to(std::move(out));
  }
}

tail_reader::tail_reader(const kafka_options& options, std::uint32_t inflight_max)
    : worker_(std::make_unique<worker>(options, inflight_max)) {}
tail_reader::~tail_reader() = default;

void tail_reader::read(shard_id shard, std::vector<std::string> topics, answer to) {
  worker_->post([w = worker_.get(), shard, topics = std::move(topics), to = std::move(to)] {
    w->begin(shard, topics, to);
  });
}

void tail_reader::cancel(shard_id shard) {
  worker_->post([w = worker_.get(), shard] { w->cancel(shard); });
}

}  // namespace troupe::bridge
