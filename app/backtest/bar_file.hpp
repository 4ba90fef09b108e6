#pragma once

#include <optional>
#include <string>

#include "actors/trading/backtest.hpp"
#include "app/feed/parsers.hpp"

namespace troupe::app {

/// Has the file OHLCV bars? Told by its first line.
bool is_bar_file(const std::string& path);

/// Reads the bars of one symbol. Bars by `date` are days; those by `ts_ms` (their open times) have
/// the length that is given, or else the first two times' distance. Throws std::runtime_error
/// naming file, line and field.
market::period read_bars(const std::string& path, std::optional<market::period> length,
                         trading::symbol_data& to);

}  // namespace troupe::app
