#pragma once

#include <random>

#include "tests/chaos/account_book.hpp"
#include "tests/chaos/cluster_watch.hpp"
#include "tests/chaos/listener_group.hpp"
#include "tests/chaos/market_run.hpp"

namespace troupe::test {

/// Nodes that carry market data, listeners that follow it from node to node and, all the while,
/// transfers between accounts of all shards; and what can be done to them.
class faulty_cluster : public cluster_watch {
 public:
  /// TROUPE_CHAOS_SEED, if set, makes moments and victims other than usual. `listening`: whether
  /// there are listeners.
  faulty_cluster(std::uint64_t seed, const market_run::records& records, bool listening = true);

  /// Lets `fault` happen under a steady load; afterwards nothing may be missing or doubled.
  void check(const std::function<void(steady_load&)>& fault);
  /// What `check` is made of, for loads of another shape. Sends records as `market_run` does, and
  /// with them some transfers; before the first of all it opens the accounts and lets the listeners
  /// follow.
  void send(int from, int to);
  /// Everything that was sent is committed, delivered and heard.
  bool settled();
  /// Of everything that is not market data; all must have settled. Nothing may be missing or
  /// doubled.
  void check_books();
  /// Records of `balances` and `listened` that `check_books` has read.
  std::size_t taken() const { return accounts_.topic().taken() + listeners_.topic().taken(); }
  std::size_t skipped() const { return accounts_.topic().skipped() + listeners_.topic().skipped(); }

  int any_node() { return 1 + static_cast<int>(random() % static_cast<unsigned>(run.nodes())); }
  /// So many different ones.
  std::vector<int> some_nodes(int count);

  std::mt19937_64 random;
  market_run run;

 private:
  const cluster_folder& folder() const override { return run.folder(); }
  int node_count() const override { return run.nodes(); }

  const market_run::records records_;
  const bool listening_;
  account_book accounts_;
  listener_group listeners_;
};

}  // namespace troupe::test
