#include "app/commands/backtest_options.hpp"

#include "actors/trading/strategy.hpp"
#include "app/backtest/sweep.hpp"
#include "app/commands/command_line.hpp"

namespace troupe::app {

namespace {

/// An option whose text is empty would pass for one that is not there.
CLI::Validator some_text() {
  return {[](std::string& text) {
            return text.empty() ? std::string(
                                      "is empty: leave it out, or see whether the shell's "
                                      "variable is set")
                                : std::string();
          },
          ""};
}

void add_data_options(CLI::App& command, backtest_options& o) {
  command
      .add_option(
          "--data", o.data.files,
          "Bars as CSV (columns date or ts_ms, open, high, low, close, volume; the symbol is "
          "in a column symbol, or the file's name, or SYMBOL=FILE), trades or quotes as CSV, "
          "recorded frames; "
          "plain, gzip or zstd; repeatable")
      ->required();
  command.add_option("--symbol", o.data.symbols, "Only this symbol of the data; repeatable")
      ->allow_extra_args(false);
  command
      .add_option(
          "--period", o.period,
          "Length of bars made from trades (default: 1m), or of bars by ts_ms (default: the "
          "least time between two), or of those that recorded trades stand beside (default: the "
          "trades)")
      ->check(CLI::IsMember({"1s", "1m", "5m", "15m", "1h", "1d"}));
  command.add_flag("--skip-bad-lines", o.data.skip_bad_lines, "Leaves out lines that are no data");
}

void add_size_options(CLI::App& command, backtest_options& o) {
  auto* const sizes = command.add_option_group("size", "How many to buy or sell with an order");
  sizes->add_option("--quantity", o.quantity, "So many units of the instrument (default: 100)");
  sizes->add_option("--notional", o.notional, "Units for so much money");
  sizes->add_option("--percent-of-equity", o.percent_of_equity,
                    "Units for this percentage of the equity");
  sizes->add_option("--volatility-target", o.volatility_target,
                    "So many that one day's deviation is this percentage of the equity");
  for (auto* const one : sizes->get_options()) one->check(some_text());
  sizes->require_option(0, 1);
}

void add_venue_options(CLI::App& command, backtest_options& o) {
  command.add_option("--cash", o.cash, "Money at the beginning")->capture_default_str();
  command
      .add_option("--fee-bps", o.fee_bps,
                  "Fee of takers, basis points (1/100 percent) of the value")
      ->capture_default_str();
  command
      .add_option("--maker-fee-bps", o.maker_fee_bps,
                  "Fee of makers, basis points; below 0: a rebate (default: --fee-bps)")
      ->check(some_text());
  command
      .add_option("--slippage-bps", o.slippage_bps,
                  "How much worse takers' prices are, basis points")
      ->capture_default_str();
  command.add_option("--latency-ms", o.latency_ms, "Milliseconds from a decision to the venue")
      ->capture_default_str()
      ->check(whole_number(0, 60'000));
  command.add_flag("--displayed-size", o.displayed_size,
                   "Fills take at most what the quote or trade shows");
  command.add_flag("--queue-position", o.queue_position,
                   "Limit orders wait behind what was displayed before them");
  auto* const step =
      command.add_option("--price-step", o.price_step, "Prices of orders are multiples of this")
          ->default_val("0.00000001");
  auto* const lot = command.add_option("--lot", o.lot, "Quantities are multiples of this")
                        ->default_val("0.00000001");
  auto* const short_max =
      command
          .add_option("--short-max", o.short_max, "Short positions up to this many units; 0: none")
          ->capture_default_str();
  command
      .add_option("--limits", o.limits,
                  "Limits of the risk check (a file like config/risk_limits.json; those of the "
                  "portfolio `backtest` or the default ones) instead of the three above")
      ->check(some_text())
      ->excludes(step, lot, short_max);
}

void add_sweep_options(CLI::App& command, backtest_options& o) {
  auto* const sweep = command.add_option(
      "--sweep", o.sweeps,
      "Every value of a parameter, NAME=FROM:TO:STEP, such as fast=5:50:5; repeatable for "
      "combinations");
  sweep->allow_extra_args(false);
  command.add_option("--by", o.sweep_by, "What ranks the runs: " + sweep_metrics())
      ->capture_default_str()
      ->needs(sweep);
  command
      .add_option("--threads", o.threads,
                  "Threads of a sweep on this machine (default: one a core)")
      ->check(whole_number(1, 1024))
      ->needs(sweep);
  command
      .add_option("-c,--config", o.config,
                  "A node's config file: spreads the sweep over its cluster; the same command "
                  "again goes on where it is")
      ->check(some_text());
  command.add_flag("--stop", o.stop, "Ends this sweep in the cluster: no further runs begin");
  command.add_option("--top", o.top, "How many of the best runs of a sweep are shown")
      ->capture_default_str()
      ->check(whole_number(1, 1'000'000))
      ->needs(sweep);
}

}  // namespace

void add_backtest_options(CLI::App& command, backtest_options& o) {
  command.add_option("--strategy", o.strategy, "One of " + trading::strategy_names())->required();
  command
      .add_option("--param", o.parameters,
                  "NAME=NUMBER of the strategy, such as fast=10; repeatable")
      ->allow_extra_args(false);
  add_data_options(command, o);
  add_size_options(command, o);
  add_venue_options(command, o);
  add_sweep_options(command, o);
  command
      .add_option("--days-per-year", o.days_per_year,
                  "For annual figures: 252 for exchanges, 365 for crypto")
      ->capture_default_str()
      ->check(whole_number(1, 366));
  command.add_flag("--json", o.as_json, "Everything as one JSON object");
  command
      .add_option("--html", o.html,
                  "The page with charts, one file that works offline: where it goes; none: no "
                  "page (default: backtest.html in this folder; with --json none)")
      ->check(some_text());
}

}  // namespace troupe::app
