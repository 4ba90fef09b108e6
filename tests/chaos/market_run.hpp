#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/bridge/kafka_producer.hpp"
#include "tests/chaos/steady_load.hpp"
#include "tests/support/node_network.hpp"
#include "tests/support/node_process.hpp"

namespace troupe::test {

/// What a run leaves behind, as the outside sees it.
struct market_outcome {
  std::map<std::string, std::string> tables;               // View to all of its rows as text.
  std::map<std::string, std::vector<std::string>> egress;  // Topic to `key payload`, by key; those
                                                           // of one key in their order.
  std::vector<std::string> egress_defects;                 // Records that are there twice.
  std::int64_t egress_skipped = 0;  // Records that a reader skips: too early, or again.
  std::int64_t received = 0;        // Applied + refused, summed over the symbols.
  std::int64_t dead_letters = 0;
};

/// Market data on a cluster: the same records whatever happens to its nodes.
class market_run {
 public:
  struct records {
    int symbols = 12;
    int each = 4000;  // Trades and quotes of a symbol.
    int nodes = 1;
    unsigned shards = 8;
    bool own_network = false;  // See `node_network`.
  };
  /// `program`: the node and its arguments; `--config FILE` is added. Nothing: the program under
  /// test. `groups`: of the cluster's file, besides the market's.
  explicit market_run(
      records what, std::vector<std::string> program = {},
      const std::string& groups = R"("entities": {"restarts_per_minute_max": 1000})");

  const cluster_folder& folder() const { return folder_; }
  int nodes() const { return what_.nodes; }
  int symbols() const { return what_.symbols; }
  static std::string symbol(int n) { return "SYM" + std::to_string(n); }
  node_process& node(int n = 1) { return nodes_.at(static_cast<std::size_t>(n - 1)); }
  /// Throws when it has none of its own.
  node_network& network() { return network_.value(); }
  /// Records sent so far.
  std::int64_t sent() const { return sent_; }

  /// Starts all nodes and sends everything: at a steady pace while `disturb` lasts, the rest at
  /// once when it has returned. Then waits until everything is committed and delivered.
  /// `send_some`: instead of `send`, to send something else besides.
  market_outcome play(const std::function<void(steady_load&)>& disturb,
                      std::chrono::seconds deadline, steady_load::send_fn send_some = {});

  /// `play` in pieces: starts all nodes, and waits for their topics.
  void start();
  /// Sends the records from the `from`-th up to the one before the `to`-th of every symbol.
  void send(int from, int to);
  /// Whether everything that was sent is committed and delivered.
  bool settled();
  market_outcome collect();
  /// What can be used of a symbol's records: all but those that must be refused.
  struct usable_events {
    std::int64_t events = 0, trades = 0, size = 0;
  };
  /// Of those sent so far, by symbol.
  const std::map<std::string, usable_events>& usable() const { return usable_; }
  /// Records that symbols have applied or refused, by the tables.
  std::int64_t received() const;

 private:
  bridge::kafka_producer& producer();
  int disturb_under_load(const std::function<void(steady_load&)>& disturb,
                         const steady_load::send_fn& send_some);
  void collect_egress(const std::string& topic, market_outcome& into);

  const records what_;
  std::optional<node_network> network_;
  cluster_folder folder_;
  std::deque<node_process> nodes_;
  std::unique_ptr<bridge::kafka_producer> producer_;
  std::int64_t sent_ = 0;
  std::map<std::string, usable_events> usable_;
};

}  // namespace troupe::test
