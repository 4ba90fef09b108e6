#include "runtime/bridge/kafka_producer.hpp"

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

#include "runtime/base/clock.hpp"
#include "runtime/bridge/kafka_client.hpp"

namespace troupe::bridge {

namespace {

using namespace std::chrono_literals;

constexpr int poll_ms = 50;

void* as_opaque(std::uint64_t token) {
  return reinterpret_cast<void*>(static_cast<std::uintptr_t>(token));
}
std::uint64_t as_token(void* opaque) {
  return static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(opaque));
}

}  // namespace

class kafka_producer::engine {
 public:
  engine(producer_options options, on_delivery delivered);
  ~engine();

  result send(const std::string& topic, const outgoing_record& record,
              std::chrono::milliseconds wait);
  bool flush(std::chrono::milliseconds wait);
  producer_figures figures() const;

 private:
  void run();
  void take(const rd_kafka_message_t& m);
  rd_kafka_resp_err_t produce(rd_kafka_topic_t* topic, const outgoing_record& record);
  rd_kafka_topic_t* topic_of(const std::string& name);
  void note_error(std::string_view name);

  const producer_options options_;
  const on_delivery delivered_;
  std::atomic<std::uint64_t> sent_ = 0, done_ = 0, failed_ = 0;
  mutable std::mutex mutex_;  // Guards the two below.
  std::condition_variable progress_;
  std::string last_error_;
  rdk::client client_;
  std::map<std::string, rdk::topic_ptr> topics_;  // The sender's.
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

kafka_producer::engine::engine(producer_options options, on_delivery delivered)
    : options_(std::move(options)),
      delivered_(std::move(delivered)),
      client_(RD_KAFKA_PRODUCER, "producer", options_.kafka,
              {{"linger.ms", std::to_string(options_.linger.count())},
               {"compression.codec", options_.compression},
               {"queue.buffering.max.messages", std::to_string(options_.queue_records_max)}},
              {{"enable.idempotence", "true"},
               {"partitioner", "murmur2_random"},
               {"message.timeout.ms", std::to_string(options_.message_timeout.count())}},
              [this](const rd_kafka_message_t& m) { take(m); }) {
  thread_ = std::thread([this] { run(); });
}

kafka_producer::engine::~engine() {
  stop_ = true;
  thread_.join();
  rd_kafka_purge(client_.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
}

void kafka_producer::engine::run() {
  while (!stop_) {
    if (rd_kafka_poll(client_.get(), poll_ms) > 0) {
      const std::lock_guard lock(mutex_);
      progress_.notify_all();
    }
  }
}

void kafka_producer::engine::note_error(std::string_view name) {
  const std::lock_guard lock(mutex_);
  last_error_ = name;
}

void kafka_producer::engine::take(const rd_kafka_message_t& m) {
  delivery d{as_token(m._private), static_cast<std::uint32_t>(m.partition), m.offset, {}};
  if (m.err != RD_KAFKA_RESP_ERR_NO_ERROR) {
    d.error = rdk::name_of(m.err);
    note_error(d.error);
    failed_.fetch_add(1, std::memory_order_relaxed);
  } else {
    client_.alive();
  }
  if (delivered_) delivered_(d);
  done_.fetch_add(1, std::memory_order_release);
}

rd_kafka_topic_t* kafka_producer::engine::topic_of(const std::string& name) {
  auto& topic = topics_[name];
  if (!topic)
    topic.reset(
        rd_kafka_topic_new(client_.get(), options_.kafka.kafka_name(name).c_str(), nullptr));
  return topic.get();
}

rd_kafka_resp_err_t kafka_producer::engine::produce(rd_kafka_topic_t* topic,
                                                    const outgoing_record& record) {
  const auto partition =
      record.partition ? static_cast<std::int32_t>(*record.partition) : RD_KAFKA_PARTITION_UA;
  return rd_kafka_producev(client_.get(), RD_KAFKA_V_RKT(topic), RD_KAFKA_V_PARTITION(partition),
                           RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                           RD_KAFKA_V_KEY(record.key.data(), record.key.size()),
                           RD_KAFKA_V_VALUE(const_cast<char*>(record.payload.data()),
                                            record.payload.size()),  // Copied, never written to.
                           RD_KAFKA_V_TIMESTAMP(record.timestamp_ms.value_or(0)),
                           RD_KAFKA_V_OPAQUE(as_opaque(record.token)), RD_KAFKA_V_END);
}

kafka_producer::result kafka_producer::engine::send(const std::string& topic,
                                                    const outgoing_record& record,
                                                    std::chrono::milliseconds wait) {
  auto* const to = topic_of(topic);
  const auto deadline = std::chrono::steady_clock::now() + wait;
  for (;;) {
    const auto error = produce(to, record);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
      sent_.fetch_add(1, std::memory_order_relaxed);
      return result::sent;
    }
    if (error != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
      note_error(rdk::name_of(error));
      return result::failed;
    }
    std::unique_lock lock(mutex_);
    if (progress_.wait_until(lock, std::min(deadline, std::chrono::steady_clock::now() + 10ms)) ==
            std::cv_status::timeout &&
        std::chrono::steady_clock::now() >= deadline)
      return result::full;
  }
}

bool kafka_producer::engine::flush(std::chrono::milliseconds wait) {
  const auto everything = [this] { return done_.load(std::memory_order_acquire) == sent_.load(); };
  const auto deadline = std::chrono::steady_clock::now() + wait;
  std::unique_lock lock(mutex_);
  while (!everything()) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    progress_.wait_for(lock, 10ms);
  }
  return true;
}

producer_figures kafka_producer::engine::figures() const {
  const std::lock_guard lock(mutex_);
  const auto failed = failed_.load();
  return {sent_.load(), done_.load() - failed, failed, last_error_};
}

kafka_producer::kafka_producer(producer_options options, on_delivery delivered)
    : engine_(std::make_unique<engine>(std::move(options), std::move(delivered))) {}
kafka_producer::~kafka_producer() = default;

kafka_producer::result kafka_producer::send(const std::string& topic, const outgoing_record& record,
                                            std::chrono::milliseconds wait) {
  return engine_->send(topic, record, wait);
}
bool kafka_producer::flush(std::chrono::milliseconds wait) {
  return engine_->flush(wait);
}
producer_figures kafka_producer::figures() const {
  return engine_->figures();
}

}  // namespace troupe::bridge
