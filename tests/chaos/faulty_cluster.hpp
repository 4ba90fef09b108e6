#pragma once

#include <nlohmann/json.hpp>
#include <random>

#include "tests/chaos/cluster_watch.hpp"
#include "tests/chaos/market_run.hpp"

namespace troupe::test {

/// What an undisturbed cluster of one makes of `records`; made once.
const market_outcome& undisturbed(const market_run::records& records);

/// Nodes that carry market data and, all the while, transfers between accounts of all shards, and
/// what can be done to them.
class faulty_cluster : public cluster_watch {
 public:
  /// TROUPE_CHAOS_SEED, if set, makes moments and victims other than usual.
  faulty_cluster(std::uint64_t seed, const market_run::records& records);

  /// Calls `fault` between the parts of the load; afterwards nothing may be missing or doubled.
  void check(const std::function<void(double)>& fault);
  /// What `check` is made of, for loads of another shape. The first transfers open the accounts.
  void transfer(int count);
  /// Every transfer and every record committed and delivered.
  bool settled();
  /// Nothing may be missing or doubled, given that so many records of each symbol were sent.
  void check_outcome(const market_outcome& outcome, int each) const;
  /// No money has come or gone.
  void check_money() const;

  int any_node() { return 1 + static_cast<int>(random() % static_cast<unsigned>(run.nodes())); }
  /// So many different ones.
  std::vector<int> some_nodes(int count);

  std::mt19937_64 random;
  market_run run;

 private:
  const cluster_folder& folder() const override { return run.folder(); }
  int node_count() const override { return run.nodes(); }
  void send(const std::string& account, const std::string& type, nlohmann::json body);

  const market_run::records records_;
  std::mt19937_64 payments_;
  std::unique_ptr<bridge::kafka_producer> producer_;
  std::int64_t commands_ = 0;
};

}  // namespace troupe::test
