#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "runtime/bridge/kafka_egress.hpp"

namespace troupe::testing {

using namespace bridge;

/// A shard as the entity runtime plays it: durable rows 1, 2, 3 ... of each topic go out in order
/// after each opening, from where the log ends. Rows stay until they are delivered.
class egress_host {
 public:
  egress_host(kafka_egress& port, shard_id shard, std::vector<std::string> topics)
      : port_(port), shard_(shard), topics_(std::move(topics)) {
    for (const auto& t : topics_) lanes_[t];
  }
  ~egress_host() {
    port_.close(shard_);
    const std::lock_guard lock(gate_->mutex);
    gate_->open = false;
  }

  void open(epoch era) {
    {
      const std::lock_guard lock(gate_->mutex);
      era_ = era;
      open_ = false;
    }
    port_.open(shard_, era, topics_, listener());
  }

  /// A new row, durable from now on.
  void add(const std::string& topic) {
    const std::lock_guard lock(gate_->mutex);
    auto& l = lanes_[topic];
    ++l.rows;
    send(topic, l);
  }

  bool all_delivered() {
    const std::lock_guard lock(gate_->mutex);
    return std::ranges::all_of(lanes_,
                               [](const auto& l) { return l.second.delivered == l.second.rows; });
  }
  std::int64_t delivered(const std::string& topic) {
    const std::lock_guard lock(gate_->mutex);
    return lanes_[topic].delivered;
  }
  std::int64_t rows(const std::string& topic) {
    const std::lock_guard lock(gate_->mutex);
    return lanes_[topic].rows;
  }
  bool is_open() {
    const std::lock_guard lock(gate_->mutex);
    return open_;
  }
  /// What the last `open` found.
  std::map<std::string, sequence> found() {
    const std::lock_guard lock(gate_->mutex);
    return found_;
  }

  std::atomic<int> losses = 0, openings = 0;
  std::atomic<bool> reopen = true;  // After a loss, by itself.
  std::atomic<bool> went_back = false;
  std::string last_reason() {
    const std::lock_guard lock(gate_->mutex);
    return reason_;
  }

 private:
  /// What is called back may already be on its way when the port is closed.
  struct gate {
    std::recursive_mutex mutex;
    bool open = true;
  };
  struct lane {
    std::int64_t rows = 0, sent = 0, delivered = 0;
  };

  void send(const std::string& topic, lane& l) {
    while (open_ && l.sent < l.rows) {
      ++l.sent;
      port_.publish(shard_, era_, topic, sequence(l.sent), "key", "row " + std::to_string(l.sent));
    }
  }

  egress_port::listener listener() {
    return {[this, gate = gate_](const std::string& topic, sequence seq) {
              const std::lock_guard lock(gate->mutex);
              if (!gate->open) return;
              auto& l = lanes_[topic];
              if (seq.value() <= l.delivered) went_back = true;
              l.delivered = std::max(l.delivered, seq.value());
            },
            [this, gate = gate_](const std::string&, const std::string& reason) {
              const std::lock_guard lock(gate->mutex);
              if (!gate->open) return;
              ++losses;
              open_ = false;
              reason_ = reason;
              if (reopen) open(era_);
            },
            [this, gate = gate_](std::map<std::string, sequence> out) {
              const std::lock_guard lock(gate->mutex);
              if (!gate->open) return;
              ++openings;
              found_ = out;
              open_ = true;
              for (auto& [topic, l] : lanes_) {
                l.sent = out[topic].value();
                l.delivered = std::max(l.delivered, l.sent);
                send(topic, l);
              }
            }};
  }

  kafka_egress& port_;
  const shard_id shard_;
  const std::vector<std::string> topics_;
  const std::shared_ptr<gate> gate_ = std::make_shared<gate>();
  epoch era_;
  bool open_ = false;
  std::string reason_;
  std::map<std::string, sequence> found_;
  std::map<std::string, lane> lanes_;
};

}  // namespace troupe::testing
