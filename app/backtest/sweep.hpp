#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "actors/trading/sweep_order.hpp"

namespace troupe::app {

using trading::parse_axis;
using trading::sweep_axis;

struct sweep_run {
  trading::given_parameters parameters;
  trading::run_metrics metrics;
};

struct sweep_result {
  std::vector<sweep_axis> axes;
  std::string by;               // The metric that ranks the runs.
  std::vector<sweep_run> runs;  // Best first, as `rank` puts them.
  std::size_t left_out = 0;     // Combinations that the strategy does not allow.
  double seconds = 0;
};

/// What runs can be ranked by.
std::string sweep_metrics();
/// Higher is better. What is not defined comes last, but first where it is not for want of losses:
/// a profit factor of nothing but wins, a Sortino without a falling day, a Calmar without a
/// drawdown, each with a gain. Requires: one of sweep_metrics.
double rank_of(const trading::run_metrics& m, const std::string& by);
bool is_sweep_metric(const std::string& name);
/// Puts the best first: of equal ones that with the higher total return, then the one whose
/// parameters come first. Requires: runs in the order of their parameters.
void rank(sweep_result& sweep);

/// The combinations that the strategy allows, the last axis turning fastest. Throws
/// failure when there are none or too many.
std::vector<trading::given_parameters> combinations(const trading::session_settings& of,
                                                    const std::vector<sweep_axis>& axes,
                                                    std::size_t& left_out);

/// Every combination of the axes' values, spread over `threads` threads. `watch` is told the number
/// of runs that are done, from one thread at a time; false stops the sweep. Throws
/// failure when the strategy allows none of them.
sweep_result run_sweep(const trading::backtest_settings& settings,
                       std::span<const trading::symbol_data> data, std::vector<sweep_axis> axes,
                       const std::string& by, std::size_t threads,
                       const std::function<bool(std::size_t done, std::size_t all)>& watch);

}  // namespace troupe::app
