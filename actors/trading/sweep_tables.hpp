#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "actors/market/market_tables.hpp"
#include "actors/trading/metrics.hpp"
#include "actors/trading/parameters.hpp"
#include "runtime/codec/columns.hpp"

namespace troupe::trading {

/// A run of a sweep that has ended. One that failed may be run again; a result stays as it is.
extern const table_def backtest_run_table;

struct ended_run {
  std::string_view sweep;
  std::int64_t number = 0;  // Of its combination, from 0.
  given_parameters parameters;
  std::string_view reason;  // Why it failed; empty: it did not.
  std::string_view node;    // That ran it.
  std::int64_t asked = 0;   // How often the work was given to a node; 1 unless one died.
  double seconds = 0;
  time_point at;
  run_metrics metrics;  // Of a run that did not fail.
};
void add_row(row_block& to, const ended_run& run);

/// The table, and the views backtest_sweeps and backtest_runs, which are stable. They need the
/// runtime's table `entity` and the market's function market_time.
std::span<const market::sql_script> sweep_migrations();

}  // namespace troupe::trading
