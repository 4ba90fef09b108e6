#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

#include "runtime/bridge/kafka_client.hpp"
#include "runtime/bridge/wake_event.hpp"

namespace troupe::bridge {

/// What has been handed over and not yet dropped, of one shard's partition or of all. `waiting` is
/// set by the poller when it wants to know about the way down.
struct inflight_gauge {
  std::atomic<std::int64_t> records = 0;
  std::atomic<std::int64_t> bytes = 0;
  std::atomic<bool> waiting = false;
};

struct inflight_total {
  inflight_gauge all;
  wake_event wake;
};

/// Messages of one batch, counted. Dropped on any thread.
class counted_loan {
 public:
  counted_loan(std::shared_ptr<rdk::client> client, std::shared_ptr<inflight_total> total,
               std::shared_ptr<inflight_gauge> own)
      : messages_(std::move(client)), total_(std::move(total)), own_(std::move(own)) {}
  ~counted_loan() {
    const auto count = static_cast<std::int64_t>(messages_.messages.size());
    own_->records.fetch_sub(count);
    total_->all.records.fetch_sub(count);
    total_->all.bytes.fetch_sub(bytes_);
    if (own_->waiting.load() || total_->all.waiting.load()) total_->wake.signal();
  }

  void reserve(std::size_t n) { messages_.messages.reserve(n); }
  void add(rd_kafka_message_t* m) {
    messages_.messages.push_back(m);
    bytes_ += static_cast<std::int64_t>(m->len + m->key_len);
  }
  /// Counts what has been added; once, when the batch is complete.
  void count() {
    const auto records = static_cast<std::int64_t>(messages_.messages.size());
    own_->records.fetch_add(records);
    total_->all.records.fetch_add(records);
    total_->all.bytes.fetch_add(bytes_);
  }

 private:
  rdk::loan messages_;
  std::shared_ptr<inflight_total> total_;
  std::shared_ptr<inflight_gauge> own_;
  std::int64_t bytes_ = 0;
};

}  // namespace troupe::bridge
