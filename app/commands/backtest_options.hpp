#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "app/backtest/market_files.hpp"

namespace troupe::app {

/// What `troupe backtest` is asked for, as given.
struct backtest_options {
  std::string strategy;
  market_files data;
  std::string period;
  std::vector<std::string> parameters;
  std::string quantity, notional, percent_of_equity, volatility_target;
  std::string cash = "100000", fee_bps = "0", maker_fee_bps, slippage_bps = "0", short_max = "0";
  std::string price_step, lot;
  std::int64_t latency_ms = 0;
  bool displayed_size = false, queue_position = false;
  std::string limits;
  int days_per_year = 252;
  std::vector<std::string> sweeps;
  std::string sweep_by = "sharpe";
  std::size_t threads = 0;
  std::size_t top = 10;
  std::string config;  // Of a node; empty: sweeps run on this machine.
  bool stop = false;
  bool as_json = false;
  std::string html;  // As given.
};

/// All must outlive `command`.
void add_backtest_options(CLI::App& command, backtest_options& o);

}  // namespace troupe::app
