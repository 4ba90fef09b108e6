#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/integration/trading_run.hpp"

namespace troupe::test {

/// What must hold of a portfolio at every committed instant; nothing: no such limit. In units of
/// 1e-8.
struct portfolio_limits {
  std::int64_t cash = 0;  // At the beginning.
  std::optional<std::int64_t> position_max, short_max;
  std::optional<std::int64_t> gross_exposure_max;
  std::optional<std::int64_t> open_orders_max;  // A count.
  std::optional<std::int64_t> orders_max;       // A count.
  std::int64_t orders_window_us = 1'000'000;
  bool cash_required = false;  // Of one that is never short: what is reserved is always there.
};

/// All that a cluster commits about orders, kept by triggers of the test's own, in the order of the
/// commits: a portfolio, its risk check and their rows are of one shard, whose commits are in
/// series.
class trading_history {
 public:
  /// Requires: nodes have not begun.
  explicit trading_history(const trading_run& run);

  struct findings {
    std::vector<std::string> wrong;  // The first hundred.
    std::int64_t commits = 0, verdicts = 0, approved = 0, orders = 0, fills = 0;
    std::map<std::string, std::int64_t> refusals;  // Code to count.
  };
  /// Goes through all commits again: every order has one verdict, every approval one order whose
  /// life takes legal steps only, no fill comes twice, books balance, and limits hold after each
  /// commit.
  findings replay(const std::map<std::string, portfolio_limits>& portfolios) const;

 private:
  const trading_run& run_;
};

}  // namespace troupe::test
