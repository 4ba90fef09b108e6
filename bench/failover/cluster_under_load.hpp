#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

#include "app/client.hpp"
#include "bench/failover/timeline.hpp"
#include "runtime/bridge/kafka_producer.hpp"
#include "tests/support/node_network.hpp"
#include "tests/support/node_process.hpp"

namespace troupe::bench {

inline constexpr int node_count = 3;

enum class fault : std::uint8_t { kill, stop, partition };

/// What one fault cost, milliseconds.
struct fail_over {
  double total = 0;  // Until every shard of the victim had committed a record made after the fault.
  std::optional<phases> parts;
  double longest_wait = 0;  // Of a record for a shard that did not move, until it was committed,
  double longest_wait_from = 0;     // that was sent so long after the fault,
  unsigned longest_wait_shard = 0;  // to this shard.
};

/// Three nodes, a load on all of their shards, and one symbol in each to ask about.
class cluster_under_load {
 public:
  struct shape {
    unsigned shards = 24;
    int rate = 2'000;          // Records a second of background load.
    bool own_network = false;  // See `node_network`: partitions are possible.
  };
  explicit cluster_under_load(const shape& what);
  ~cluster_under_load();

  fail_over strike(int node, fault how);
  /// Undoes a fault, and waits until all is as before.
  void bring_back(int node, fault how);
  /// The longest wait, as above, of any shard while nothing happens.
  double longest_wait_undisturbed(std::chrono::milliseconds span);
  /// What has become of the records, of all symbols.
  struct account {
    std::int64_t records = 0;
    std::int64_t missing = 0;  // Not applied, though sent.
    std::int64_t twice = 0;  // Applied more often than sent, or refused: none is sent that must be.
  };
  /// Ends the load, waits until all is committed, and asks symbol by symbol: what one has lost and
  /// another has had twice does not cancel out.
  account finish();

 private:
  class prober;

  void settle();
  void happen(int node, fault how);
  std::unique_ptr<app::client> connect(int node) const;
  app::client& client(int node);
  std::vector<unsigned> shards_of(int node) const;
  void send(const std::string& key, std::int64_t id);
  std::int64_t send_probe(unsigned shard);
  bool shows(app::client& of, unsigned shard, std::int64_t id) const;
  std::vector<std::unique_ptr<prober>> probe_all_but(int node);
  void produce_all_the_time();

  const shape what_;
  std::optional<test::node_network> network_;
  test::cluster_folder folder_;
  std::optional<timeline> timeline_;
  std::deque<test::node_process> nodes_;
  std::unique_ptr<app::client> clients_[node_count];
  std::vector<std::string> probes_;
  std::atomic<std::int64_t> ids_ = 0;
  std::mutex mutex_;
  std::unique_ptr<bridge::kafka_producer> producer_;
  std::map<std::string, std::int64_t> sent_;  // By symbol.
  std::atomic<bool> stop_ = false;
  std::thread load_;
};

}  // namespace troupe::bench
