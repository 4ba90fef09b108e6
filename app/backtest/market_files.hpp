#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "actors/model/period.hpp"
#include "actors/trading/backtest.hpp"

namespace troupe::app {

struct market_files {
  std::vector<std::string> files;    // `FILE` or, for bars, `SYMBOL=FILE`.
  std::vector<std::string> symbols;  // Only these; empty: all that the files hold.
  std::optional<market::period> bars;
  bool skip_bad_lines = false;
};

struct loaded_market {
  std::vector<trading::symbol_data> symbols;  // In the order asked for, else in that of the files.
  market::period bars = market::period::m1;   // Of the files' bars, or made from their trades.
  std::uint64_t events = 0;
  std::uint64_t bad_lines = 0;  // That were skipped.
  std::uint64_t left_out = 0;   // Tickers, book updates, bars of other lengths.
};

/// Reads CSV files of bars (columns `date` or `ts_ms`, open, high, low, close, volume), and what
/// `troupe feed` reads: trades, quotes, recorded frames, records. Files of one symbol are merged by
/// time; those of its bars may not overlap. Throws unreadable_file or unusable_file naming file,
/// line and field. Tells its progress on standard error.
loaded_market load_market(const market_files& from);

}  // namespace troupe::app
