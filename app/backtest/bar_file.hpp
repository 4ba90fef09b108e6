#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "actors/trading/backtest.hpp"

namespace troupe::app {

/// What is told with a line that ends the run.
inline constexpr std::string_view skip_hint = " (--skip-bad-lines goes on without such lines)";

/// Is this the first line of a file of OHLCV bars?
bool is_bar_header(std::string_view line);

struct bar_file {
  std::string path;
  std::string symbol;  // As said. Else it is in the column `symbol`, or else the file's name.
  /// Of bars by `ts_ms` (their open times); else the least time between two of them is it.
  std::optional<market::period> length;
  bool skip_bad_lines = false;
};

struct bars_of_file {
  std::vector<trading::symbol_data> symbols;  // In the order of their first bars.
  market::period length = market::period::d1;
  std::uint64_t bad_lines = 0;  // That were skipped.
};

/// Reads the bars of the wanted symbols. Those by `date` are of a day. Throws unreadable_file, or
/// unusable_file naming file, line and field.
bars_of_file read_bars(const bar_file& from, const std::function<bool(const std::string&)>& wanted);

}  // namespace troupe::app
