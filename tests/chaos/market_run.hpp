#pragma once

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "tests/support/node_process.hpp"

namespace troupe::test {

/// What a run leaves behind, as the outside sees it.
struct market_outcome {
  std::map<std::string, std::string> tables;               // View to all of its rows as text.
  std::map<std::string, std::vector<std::string>> egress;  // Topic to sorted `key payload`.
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
  };
  /// `program`: the node and its arguments; `--config FILE` is added. Nothing: the program under
  /// test.
  explicit market_run(records what, std::vector<std::string> program = {});

  const cluster_folder& folder() const { return folder_; }
  node_process& node(int n = 1) { return nodes_.at(static_cast<std::size_t>(n - 1)); }
  /// Records sent so far.
  std::int64_t sent() const { return sent_; }

  /// Sends everything, all the while calling `disturb` again and again with the part that has been
  /// sent (0 to 1); then waits until everything is committed and delivered.
  market_outcome play(const std::function<void(double)>& disturb, std::chrono::seconds deadline);

 private:
  void send_part(double from, double to);
  bool settled();
  market_outcome collect();
  void collect_egress(const std::string& topic, market_outcome& into);

  const records what_;
  cluster_folder folder_;
  std::deque<node_process> nodes_;
  std::int64_t sent_ = 0;
};

}  // namespace troupe::test
