#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "runtime/base/clock.hpp"
#include "runtime/bridge/inflight.hpp"
#include "runtime/bridge/kafka_client.hpp"
#include "runtime/bridge/kafka_options.hpp"
#include "runtime/bridge/partition_inspector.hpp"
#include "runtime/entity/ingress.hpp"

namespace troupe::bridge {

/// What a queue of the client writes to the polling thread's event.
inline constexpr std::uint64_t wake_up = 1;

/// One partition that a shard reads.
struct ingress_slot {
  std::uint32_t topic = 0;
  shard_id shard;
  std::int64_t assignment = 0;
  std::shared_ptr<const ingress_port::receiver> to;
  rdk::queue_ptr queue;   // What has been fetched of it. Held back, it simply stays there.
  std::int64_t next = 0;  // Offset after the last record handed over.
  std::int64_t end = 0;   // Of the log, as last told to the host.
  // The client has read up to here. What lies between the last record and this is none: marks of
  // transactions, gaps.
  std::int64_t read_to = 0;
  bool wanted = false;    // From its start to its stop ...
  bool assigned = false;  // ... while the client reads it.
  bool held = false;      // By the host.
  bool full = false;      // By what is in flight.
  std::shared_ptr<inflight_gauge> gauge = std::make_shared<inflight_gauge>();
  // Until its first record, or the log's end, a slot is in doubt: the client does not always say
  // that a position or a partition is missing.
  enum class doubt : std::uint8_t { none, existence, range };
  doubt in_doubt = doubt::none;
  steady_time look_at{};
  int looks = 0;
  // Changes with every start and stop: answers to older questions are void.
  std::uint64_t life = 0;

  bool open() const { return assigned && !held && !full; }
};

/// The consumer of a node and its thread. Everything that touches partitions happens on that
/// thread.
class ingress_poller {
 public:
  explicit ingress_poller(ingress_options options);
  ~ingress_poller();

  void post(std::function<void()> command) {
    {
      const std::lock_guard lock(mutex_);
      commands_.push_back(std::move(command));
    }
    total_->wake.signal();
  }
  std::optional<steady_time> away_since() const { return client_->away_since(); }
  std::int64_t inflight() const { return total_->all.records.load(); }

  // On the polling thread only, by `post`.
  void assign(shard_id shard, std::int64_t assignment, const std::vector<ingress_port::start>& from,
              const std::shared_ptr<const ingress_port::receiver>& to);
  void unassign(shard_id shard);
  void hold(shard_id shard, bool held);

 private:
  void run();
  void run_commands();
  bool held_back();
  std::size_t poll();
  void poll_client();
  std::size_t poll_slot(ingress_slot& s);
  void hand_over(ingress_slot& s, std::span<rd_kafka_message_t* const> messages);
  bool nudge();
  std::int64_t log_end(const ingress_slot& s) const;
  static std::int64_t records_end(const ingress_slot& s, std::int64_t end);
  void tell_end(ingress_slot& s, std::int64_t end);

  ingress_slot& slot_at(std::uint32_t topic, shard_id shard);
  template <class F>
  void each_of(shard_id shard, F&& f);
  void start_slot(ingress_slot& s, std::int64_t from);
  void assign_started();
  bool assign_slots(std::span<ingress_slot* const> all);
  void stop_slot(ingress_slot& s);
  void restart_slot(ingress_slot& s);
  void release_drained();

  void on_error(ingress_slot& s, const rd_kafka_message_t& m);
  void on_read_to(ingress_slot& s, std::int64_t end);
  void set_doubt(ingress_slot& s, ingress_slot::doubt d);
  void look_at_doubtful();
  void look_at(ingress_slot& s);
  void look_at_ends();
  template <class Answer, class F>
  std::function<void(Answer)> answered(ingress_slot& s, F f);
  void on_range(ingress_slot& s, const partition_inspector::range& range);
  void on_count(ingress_slot& s, const std::uint32_t& partitions);
  void on_ends(const std::vector<std::pair<ingress_slot*, std::int64_t>>& asked,
               const std::vector<std::int64_t>& ends);
  void report(ingress_slot& s, unreadable_log what);

  const ingress_options options_;
  std::shared_ptr<inflight_total> total_ = std::make_shared<inflight_total>();
  std::shared_ptr<rdk::client> client_;
  rdk::queue_ptr queue_;            // What the client says of itself.
  std::vector<std::string> names_;  // In Kafka, by topic index.
  // Pinned: with its topic the client forgets what it knows of the partitions.
  std::vector<rdk::topic_ptr> topics_;
  std::vector<std::vector<std::unique_ptr<ingress_slot>>> slots_;  // By topic and shard.
  std::vector<rd_kafka_message_t*> buffer_;
  std::vector<ingress_slot*> assigned_;  // Polled in turns, each time from another one on.
  std::size_t turn_ = 0;
  std::vector<ingress_slot*> started_;  // Not yet known to the client.
  std::vector<ingress_slot*> full_;
  int doubtful_ = 0;
  bool stalled_ = false;
  steady_time nudged_{};
  int asking_ends_ = 0;
  steady_time ends_asked_{};

  std::mutex mutex_;
  std::deque<std::function<void()>> commands_;
  std::atomic<bool> stop_ = false;
  std::unique_ptr<partition_inspector> inspector_;
  std::thread thread_;
};

}  // namespace troupe::bridge
