#include "runtime/bridge/kafka_egress.hpp"

#include <algorithm>
#include <atomic>
#include <deque>
#include <mutex>
#include <thread>

#include "runtime/base/clock.hpp"
#include "runtime/base/ensure.hpp"
#include "runtime/base/log.hpp"
#include "runtime/bridge/kafka_client.hpp"
#include "runtime/bridge/tail_reader.hpp"

namespace troupe::bridge {

namespace {

using namespace std::chrono_literals;

constexpr int poll_ms = 50;
constexpr auto backoff_min = 100ms, backoff_max = 5'000ms;
constexpr auto drain_max = 5'000ms;
constexpr int farewell_ms = 2'000;

struct waiting_record {
  sequence seq;
  std::string key;
  std::string payload;
};

/// One topic of one opening.
struct lane {
  std::string topic;
  std::string name;  // In Kafka.
  std::deque<waiting_record> waiting;
  std::uint32_t inflight = 0;
  sequence acknowledged;
  bool failed = false;      // A record is missing: what comes after it is not delivered.
  bool overflowed = false;  // Records have been turned away: lost, once those before them are out.
  bool news = false;        // `acknowledged` has not been told yet.
};

/// What one `open` began.
struct opening {
  enum class phase : std::uint8_t { waiting, reading, open, lost };
  shard_id shard;
  epoch era;
  std::vector<std::string> topics;
  egress_port::listener to;
  phase at = phase::waiting;
  bool replaced = false;  // By a later one, or closed: nobody listens any more.
  bool delivered_any = false;
  steady_time not_before{};
  std::map<std::string, lane, std::less<>> lanes;
};

/// One record with the client: the opaque of its message.
struct flight {
  std::shared_ptr<opening> of;
  lane* in;
  sequence seq;
};

struct shard_lanes {
  std::shared_ptr<opening> now;
  std::uint32_t inflight = 0;  // Of all openings.
  std::chrono::milliseconds backoff{0};
};

struct report {
  flight* of;
  rd_kafka_resp_err_t error;
};

}  // namespace

class kafka_egress::engine {
 public:
  explicit engine(egress_options options);
  ~engine();

  void open(shard_id shard, epoch era, std::vector<std::string> topics, listener to);
  void publish(shard_id shard, epoch era, const std::string& topic, sequence seq,
               std::string_view key, std::string_view payload);
  void close(shard_id shard);

 private:
  using callbacks = std::vector<std::function<void()>>;

  std::unique_ptr<rdk::client> make_client();
  rd_kafka_topic_t* topic_of(const std::string& name);
  void run();
  void take_reports();
  void take_report(const report& r);
  void tell_news();
  void pump_all();
  void pump(const std::shared_ptr<opening>& o, lane& l);
  rd_kafka_resp_err_t produce(const std::shared_ptr<opening>& o, lane& l, sequence seq,
                              std::string_view key, std::string_view payload);
  void lose(opening& o, lane& l, std::string reason);
  void begin_reading();
  void on_tails(const std::shared_ptr<opening>& o, std::map<std::string, sequence> out);
  void replace_client(const std::string& reason);
  void drain(int purge);
  void replace_opening(shard_lanes& s, std::shared_ptr<opening> by);

  const egress_options options_;
  std::vector<report> reports_;  // Polling thread only.
  std::vector<std::pair<std::shared_ptr<opening>, lane*>> touched_;

  std::mutex mutex_;  // Guards all below.
  std::map<shard_id, shard_lanes> shards_;
  std::map<std::string, rdk::topic_ptr> topics_;  // Of the present client.
  std::unique_ptr<rdk::client> client_;
  callbacks later_;  // For the polling thread to make, without the lock.

  tail_reader tails_;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

kafka_egress::engine::engine(egress_options options)
    : options_(std::move(options)),
      client_(make_client()),
      tails_(options_.kafka, options_.lane_inflight_max) {
  thread_ = std::thread([this] { run(); });
}

kafka_egress::engine::~engine() {
  stop_ = true;
  thread_.join();
  {
    const std::lock_guard lock(mutex_);
    for (auto& [shard, s] : shards_) replace_opening(s, nullptr);
  }
  rd_kafka_flush(client_->get(), farewell_ms);
  rd_kafka_purge(client_->get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
  rd_kafka_flush(client_->get(), farewell_ms);
  take_reports();
  topics_.clear();
}

std::unique_ptr<rdk::client> kafka_egress::engine::make_client() {
  const rdk::settings defaults{{"linger.ms", std::to_string(options_.linger.count())},
                               {"compression.codec", options_.compression}};
  const rdk::settings fixed{
      {"enable.idempotence", "true"},
      {"message.timeout.ms", std::to_string(options_.message_timeout.count())}};
  return std::make_unique<rdk::client>(
      RD_KAFKA_PRODUCER, "egress", options_.kafka, defaults, fixed,
      [this](const rd_kafka_message_t& m) {
        reports_.push_back({static_cast<flight*>(m._private), m.err});
      });
}

rd_kafka_topic_t* kafka_egress::engine::topic_of(const std::string& name) {
  auto& topic = topics_[name];
  if (!topic) topic.reset(rd_kafka_topic_new(client_->get(), name.c_str(), nullptr));
  return topic.get();
}

// ---- the callers' threads ----------------------------------------------------------------------

void kafka_egress::engine::replace_opening(shard_lanes& s, std::shared_ptr<opening> by) {
  if (s.now) {
    s.now->replaced = true;
    for (auto& [topic, l] : s.now->lanes) l.waiting.clear();
  }
  s.now = std::move(by);
}

void kafka_egress::engine::open(shard_id shard, epoch era, std::vector<std::string> topics,
                                listener to) {
  auto o = std::make_shared<opening>();
  o->shard = shard;
  o->era = era;
  o->topics = std::move(topics);
  o->to = std::move(to);
  const std::lock_guard lock(mutex_);
  tails_.cancel(shard);
  auto& s = shards_[shard];
  // What is lost again and again without having brought anything out must not spin.
  const bool in_vain = s.now && s.now->at == opening::phase::lost && !s.now->delivered_any;
  s.backoff = in_vain
                  ? std::clamp<std::chrono::milliseconds>(2 * s.backoff, backoff_min, backoff_max)
                  : 0ms;
  o->not_before = std::chrono::steady_clock::now() + s.backoff;
  replace_opening(s, std::move(o));
  begin_reading();
}

void kafka_egress::engine::close(shard_id shard) {
  const std::lock_guard lock(mutex_);
  tails_.cancel(shard);
  const auto it = shards_.find(shard);
  if (it != shards_.end()) replace_opening(it->second, nullptr);
}

void kafka_egress::engine::publish(shard_id shard, epoch era, const std::string& topic,
                                   sequence seq, std::string_view key, std::string_view payload) {
  const std::lock_guard lock(mutex_);
  const auto it = shards_.find(shard);
  if (it == shards_.end() || !it->second.now) return;
  const auto o = it->second.now;
  if (o->era != era || o->at != opening::phase::open) return;
  const auto found = o->lanes.find(topic);
  ensure(found != o->lanes.end(), "a published topic has been opened");
  auto& l = found->second;
  if (l.waiting.size() >= options_.lane_queue_max) l.overflowed = true;
  if (l.overflowed) return;
  l.waiting.push_back({seq, std::string(key), std::string(payload)});
  pump(o, l);
}

// ---- under the lock ----------------------------------------------------------------------------

void kafka_egress::engine::pump(const std::shared_ptr<opening>& o, lane& l) {
  while (o->at == opening::phase::open && !l.waiting.empty() &&
         l.inflight < options_.lane_inflight_max) {
    if (!options_.lease_valid()) return lose(*o, l, "lease_not_valid");
    const auto& r = l.waiting.front();
    const auto error = produce(o, l, r.seq, r.key, r.payload);
    if (error == RD_KAFKA_RESP_ERR__QUEUE_FULL) return;
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return lose(*o, l, std::string(rdk::name_of(error)));
    l.waiting.pop_front();
  }
}

rd_kafka_resp_err_t kafka_egress::engine::produce(const std::shared_ptr<opening>& o, lane& l,
                                                  sequence seq, std::string_view key,
                                                  std::string_view payload) {
  const auto shard = std::to_string(o->shard.value()), era = std::to_string(o->era.value()),
             number = std::to_string(seq.value());
  auto f = std::make_unique<flight>(flight{o, &l, seq});
  const auto error = rd_kafka_producev(
      client_->get(), RD_KAFKA_V_RKT(topic_of(l.name)),
      RD_KAFKA_V_PARTITION(static_cast<std::int32_t>(o->shard.value())),
      RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(key.data(), key.size()),
      RD_KAFKA_V_VALUE(const_cast<char*>(payload.data()),
                       payload.size()),  // Copied, never written to.
      RD_KAFKA_V_HEADER("shard", shard.data(), static_cast<ssize_t>(shard.size())),
      RD_KAFKA_V_HEADER("epoch", era.data(), static_cast<ssize_t>(era.size())),
      RD_KAFKA_V_HEADER("seq", number.data(), static_cast<ssize_t>(number.size())),
      RD_KAFKA_V_OPAQUE(f.get()), RD_KAFKA_V_END);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return error;
  f.release();  // Comes back with its delivery report.
  ++l.inflight;
  ++shards_[o->shard].inflight;
  return error;
}

void kafka_egress::engine::lose(opening& o, lane& l, std::string reason) {
  l.failed = true;
  if (o.at == opening::phase::lost || o.replaced) return;
  o.at = opening::phase::lost;
  for (auto& [topic, other] : o.lanes) other.waiting.clear();
  log::warn("bridge", "egress_lost", {{"shard", o.shard}, {"topic", l.topic}, {"reason", reason}});
  later_.push_back(
      [to = o.to.lost, topic = l.topic, reason = std::move(reason)] { to(topic, reason); });
}

/// Openings of which nothing is in flight any more are read.
void kafka_egress::engine::begin_reading() {
  const auto now = std::chrono::steady_clock::now();
  for (auto& [shard, s] : shards_) {
    if (!s.now || s.now->at != opening::phase::waiting || s.inflight > 0 || now < s.now->not_before)
      continue;
    s.now->at = opening::phase::reading;
    tails_.read(shard, s.now->topics, [this, o = s.now](auto out) { on_tails(o, std::move(out)); });
  }
}

// ---- the readers' and the polling thread -------------------------------------------------------

void kafka_egress::engine::on_tails(const std::shared_ptr<opening>& o,
                                    std::map<std::string, sequence> out) {
  {
    const std::lock_guard lock(mutex_);
    if (o->replaced) return;
    for (const auto& topic : o->topics) {
      auto& l = o->lanes[topic];
      l.topic = topic;
      l.name = options_.kafka.kafka_name(topic);
    }
    o->at = opening::phase::open;
  }
  o->to.opened(std::move(out));
}

void kafka_egress::engine::run() {
  while (!stop_) {
    rd_kafka_poll(client_->get(), poll_ms);
    callbacks now;
    {
      const std::lock_guard lock(mutex_);
      take_reports();
      pump_all();
      begin_reading();
      now.swap(later_);
    }
    for (auto& call : now) call();
    if (const auto reason = client_->fatal(); !reason.empty()) replace_client(reason);
  }
}

void kafka_egress::engine::take_reports() {
  for (const auto& r : reports_) take_report(r);
  reports_.clear();
  for (auto& [o, l] : touched_) {
    l->news = false;
    if (o->replaced) continue;
    later_.push_back(
        [o = o, topic = l->topic, seq = l->acknowledged] { o->to.delivered(topic, seq); });
  }
  touched_.clear();
}

void kafka_egress::engine::take_report(const report& r) {
  const std::unique_ptr<flight> f(r.of);
  auto& l = *f->in;
  --l.inflight;
  --shards_[f->of->shard].inflight;
  if (l.failed) return;
  if (r.error != RD_KAFKA_RESP_ERR_NO_ERROR)
    return lose(*f->of, l, std::string(rdk::name_of(r.error)));
  client_->alive();
  l.acknowledged = f->seq;
  f->of->delivered_any = true;
  if (!std::exchange(l.news, true)) touched_.emplace_back(f->of, &l);
}

void kafka_egress::engine::pump_all() {
  for (auto& [shard, s] : shards_) {
    if (!s.now || s.now->at != opening::phase::open) continue;
    const auto o = s.now;
    for (auto& [topic, l] : o->lanes) {
      if (!l.waiting.empty()) pump(o, l);
      if (l.overflowed && l.waiting.empty() && l.inflight == 0) lose(*o, l, "queue_full");
    }
  }
}

/// A producer beyond repair takes every opening with it. What is on the wire is waited for: whoever
/// reads the log after that finds all that there will be.
void kafka_egress::engine::replace_client(const std::string& reason) {
  log::error("bridge", "producer_replaced", {{"reason", reason}});
  {
    const std::lock_guard lock(mutex_);
    for (auto& [shard, s] : shards_)
      if (s.now && s.now->at == opening::phase::open && !s.now->lanes.empty())
        lose(*s.now, s.now->lanes.begin()->second, "producer_failed: " + reason);
  }
  drain(RD_KAFKA_PURGE_F_QUEUE);
  drain(RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
  auto fresh = make_client();
  const std::lock_guard lock(mutex_);
  take_reports();
  topics_.clear();
  client_.swap(fresh);
}

void kafka_egress::engine::drain(int purge) {
  const auto deadline = std::chrono::steady_clock::now() + drain_max;
  rd_kafka_purge(client_->get(), purge);
  while (rd_kafka_outq_len(client_->get()) > 0 && std::chrono::steady_clock::now() < deadline)
    rd_kafka_poll(client_->get(), poll_ms);
}

kafka_egress::kafka_egress(egress_options options)
    : engine_(std::make_unique<engine>(std::move(options))) {}
kafka_egress::~kafka_egress() = default;

void kafka_egress::open(shard_id shard, epoch era, std::vector<std::string> topics, listener to) {
  engine_->open(shard, era, std::move(topics), std::move(to));
}
void kafka_egress::publish(shard_id shard, epoch era, const std::string& topic, sequence seq,
                           std::string_view key, std::string_view payload) {
  engine_->publish(shard, era, topic, seq, key, payload);
}
void kafka_egress::close(shard_id shard) {
  engine_->close(shard);
}

}  // namespace troupe::bridge
