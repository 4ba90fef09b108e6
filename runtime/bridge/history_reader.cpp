#include "runtime/bridge/history_reader.hpp"

#include <algorithm>
#include <array>
#include <mutex>

#include "runtime/base/clock.hpp"
#include "runtime/bridge/kafka_client.hpp"

namespace troupe::bridge {

namespace {

constexpr std::size_t chunk_max = 500;
constexpr int slice_ms = 100;

/// A partition that is being read.
struct open_partition {
  std::mutex mutex;
  std::string name;  // In Kafka.
  std::uint32_t partition = 0;
  rdk::topic_ptr topic;
  bool started = false;
  std::int64_t next = -1;
  steady_time used{};

  std::int32_t number() const { return static_cast<std::int32_t>(partition); }
  void start(std::int64_t from) {
    stop();
    started = rd_kafka_consume_start(topic.get(), number(), from) == 0;
    next = from;
  }
  void stop() {
    if (started) rd_kafka_consume_stop(topic.get(), number());
    started = false;
  }
};

bool means_unknown(rd_kafka_resp_err_t e) {
  return e == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION || e == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC ||
         e == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
}
bool means_out_of_range(rd_kafka_resp_err_t e) {
  return e == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET || e == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE;
}

}  // namespace

class history_reader::engine {
 public:
  engine(const kafka_options& options, std::size_t open_max);
  ~engine();

  history_batch read(const std::string& topic, std::uint32_t partition, position from,
                     const history_limits& limits);
  std::optional<log_range> range(const std::string& name, std::uint32_t partition,
                                 std::chrono::milliseconds wait);
  const kafka_options& options() const { return options_; }

 private:
  struct progress {
    history_batch batch;
    std::shared_ptr<rdk::loan> loan;
    std::size_t bytes = 0;
    bool done = false;
  };
  std::shared_ptr<open_partition> find(const std::string& topic, std::uint32_t partition);
  void close_oldest();
  void fill(open_partition& p, progress& so_far, const history_limits& limits,
            steady_time deadline);
  void take(open_partition& p, progress& so_far, rd_kafka_message_t* m);
  void take_error(open_partition& p, progress& so_far, const rd_kafka_message_t& m);
  std::int64_t known_end(const open_partition& p) const;
  void look_for(const open_partition& p, progress& so_far, int wait_ms);

  const kafka_options options_;
  const std::size_t open_max_;
  std::shared_ptr<rdk::client> client_;
  std::mutex mutex_;
  std::map<std::pair<std::string, std::uint32_t>, std::shared_ptr<open_partition>> open_;
};

history_reader::engine::engine(const kafka_options& options, std::size_t open_max)
    : options_(options),
      open_max_(open_max),
      client_(std::make_shared<rdk::client>(RD_KAFKA_CONSUMER, "history", options,
                                            rdk::settings{{"fetch.wait.max.ms", "50"},
                                                          {"fetch.error.backoff.ms", "20"},
                                                          {"check.crcs", "false"},
                                                          {"queued.max.messages.kbytes", "4096"}},
                                            rdk::settings{{"enable.auto.commit", "false"},
                                                          {"auto.offset.reset", "error"},
                                                          {"enable.partition.eof", "true"}})) {}

history_reader::engine::~engine() {
  for (auto& [key, p] : open_) p->stop();
}

std::shared_ptr<open_partition> history_reader::engine::find(const std::string& topic,
                                                             std::uint32_t partition) {
  const std::lock_guard lock(mutex_);
  auto& p = open_[{topic, partition}];
  if (!p) {
    p = std::make_shared<open_partition>();
    p->name = options_.kafka_name(topic);
    p->partition = partition;
    p->topic.reset(rd_kafka_topic_new(client_->get(), p->name.c_str(), nullptr));
  }
  p->used = std::chrono::steady_clock::now();
  auto found = p;
  if (open_.size() > open_max_) close_oldest();
  return found;
}

/// One that nobody is reading right now.
void history_reader::engine::close_oldest() {
  auto oldest = open_.end();
  for (auto it = open_.begin(); it != open_.end(); ++it)
    if (it->second.use_count() == 1 &&
        (oldest == open_.end() || it->second->used < oldest->second->used))
      oldest = it;
  if (oldest == open_.end()) return;
  oldest->second->stop();
  open_.erase(oldest);
}

history_batch history_reader::engine::read(const std::string& topic, std::uint32_t partition,
                                           position from, const history_limits& limits) {
  const auto deadline = std::chrono::steady_clock::now() + limits.wait;
  const auto p = find(topic, partition);
  const std::lock_guard lock(p->mutex);
  progress so_far;
  so_far.loan = std::make_shared<rdk::loan>(client_);
  so_far.batch.reason = "no broker has answered";
  so_far.batch.what = history_batch::outcome::unavailable;
  if (!p->started || p->next != from.value())
    p->start(from.value());
  else
    so_far.batch.what = history_batch::outcome::read;
  fill(*p, so_far, limits, deadline);
  auto& batch = so_far.batch;
  if (batch.what == history_batch::outcome::read)
    batch.reason.clear();
  else
    p->stop();
  batch.next = position(p->next);
  if (batch.what != history_batch::outcome::truncated) batch.log_end = position(known_end(*p));
  batch.storage = std::move(so_far.loan);
  return std::move(batch);
}

void history_reader::engine::fill(open_partition& p, progress& so_far, const history_limits& limits,
                                  steady_time deadline) {
  std::array<rd_kafka_message_t*, chunk_max> chunk{};
  auto& records = so_far.batch.records;
  while (!so_far.done) {
    rd_kafka_poll(client_->get(), 0);
    const auto room = std::min(chunk.size(), limits.records_max - records.size());
    auto n = rd_kafka_consume_batch(p.topic.get(), p.number(), 0, chunk.data(), room);
    for (auto* m : std::span(chunk.data(), static_cast<std::size_t>(std::max<ssize_t>(n, 0))))
      take(p, so_far, m);
    if (records.size() >= limits.records_max || so_far.bytes >= limits.bytes_max) return;
    if (n > 0 || so_far.done) continue;
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0 || (!records.empty() && p.next >= known_end(p))) return;
    const auto slice = static_cast<int>(std::min<std::int64_t>(left.count(), slice_ms));
    if (auto* m = rd_kafka_consume(p.topic.get(), p.number(), slice); m != nullptr)
      take(p, so_far, m);
    else if (so_far.batch.what == history_batch::outcome::unavailable)
      look_for(p, so_far, slice);
  }
}

std::int64_t history_reader::engine::known_end(const open_partition& p) const {
  std::int64_t low = 0, high = 0;
  rd_kafka_get_watermark_offsets(client_->get(), p.name.c_str(), p.number(), &low, &high);
  return std::max(high, p.next);
}

/// The client does not say on this way that a partition is not there; it only never answers.
void history_reader::engine::look_for(const open_partition& p, progress& so_far, int wait_ms) {
  const rd_kafka_metadata_t* found = nullptr;
  const auto failed = rd_kafka_metadata(client_->get(), 0, p.topic.get(), &found, wait_ms);
  const rdk::metadata_ptr metadata(found);
  if (failed != RD_KAFKA_RESP_ERR_NO_ERROR || metadata->topic_cnt != 1) return;
  const auto& topic = metadata->topics[0];
  if (!means_unknown(topic.err) &&
      (topic.err != RD_KAFKA_RESP_ERR_NO_ERROR || p.number() < topic.partition_cnt))
    return;
  so_far.done = true;
  so_far.batch.what = history_batch::outcome::unknown_partition;
  so_far.batch.reason = p.name + " has no partition " + std::to_string(p.partition);
}

void history_reader::engine::take(open_partition& p, progress& so_far, rd_kafka_message_t* m) {
  if (m->err != RD_KAFKA_RESP_ERR_NO_ERROR || m->offset < p.next) {
    if (m->err != RD_KAFKA_RESP_ERR_NO_ERROR) take_error(p, so_far, *m);
    rd_kafka_message_destroy(m);
    return;
  }
  client_->alive();
  so_far.batch.what = history_batch::outcome::read;
  so_far.batch.records.push_back(rdk::view_of(*m));
  so_far.loan->messages.push_back(m);
  so_far.bytes += m->len + m->key_len;
  p.next = m->offset + 1;
}

void history_reader::engine::take_error(open_partition& p, progress& so_far,
                                        const rd_kafka_message_t& m) {
  auto& batch = so_far.batch;
  if (m.err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
    batch.what = history_batch::outcome::read;
    so_far.done = true;
    p.next = std::max(p.next, m.offset);  // Behind the ends of transactions, which are no records.
    return;
  }
  batch.reason = rd_kafka_message_errstr(&m);
  if (!means_out_of_range(m.err)) return;
  so_far.done = true;
  const auto found = range(p.name, p.partition, std::chrono::milliseconds(2'000));
  batch.what = found ? history_batch::outcome::truncated : history_batch::outcome::unavailable;
  if (!found) return;
  batch.begin = found->begin;
  batch.log_end = found->end;
}

std::optional<log_range> history_reader::engine::range(const std::string& name,
                                                       std::uint32_t partition,
                                                       std::chrono::milliseconds wait) {
  std::int64_t low = 0, high = 0;
  const auto failed = rd_kafka_query_watermark_offsets(client_->get(), name.c_str(),
                                                       static_cast<std::int32_t>(partition), &low,
                                                       &high, static_cast<int>(wait.count()));
  if (failed != RD_KAFKA_RESP_ERR_NO_ERROR) return std::nullopt;
  return log_range{position(low), position(high)};
}

history_reader::history_reader(const kafka_options& options, std::size_t open_max)
    : engine_(std::make_unique<engine>(options, open_max)) {}
history_reader::~history_reader() = default;

history_batch history_reader::read(const std::string& topic, std::uint32_t partition, position from,
                                   const history_limits& limits) {
  return engine_->read(topic, partition, from, limits);
}

std::optional<log_range> history_reader::range(const std::string& topic, std::uint32_t partition,
                                               std::chrono::milliseconds wait) {
  return engine_->range(engine_->options().kafka_name(topic), partition, wait);
}

}  // namespace troupe::bridge
