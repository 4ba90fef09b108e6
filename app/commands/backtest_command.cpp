#include <chrono>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <thread>

#include "actors/trading/recording.hpp"
#include "actors/trading/run_figures.hpp"
#include "app/backtest/cluster_sweep.hpp"
#include "app/backtest/market_files.hpp"
#include "app/backtest/page.hpp"
#include "app/backtest/recording_cache.hpp"
#include "app/backtest/report.hpp"
#include "app/backtest/sweep.hpp"
#include "app/commands/commands.hpp"
#include "app/commands/entity_command.hpp"
#include "app/feed/pace.hpp"
#include "app/feed/progress.hpp"

namespace troupe::app {

namespace {

using namespace troupe::trading;

struct options {
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
  std::string html;
};

fixed decimal_of(const char* option, const std::string& text, fixed least) {
  const auto value = parse_fixed(text);
  if (!value || *value < least)
    throw std::runtime_error(std::string(option) + " is \"" + text +
                             "\", and must be a number of " +
                             (least == fixed() ? "0 or more" : to_string(least) + " or more"));
  return *value;
}

double number_of(const std::string& name, const std::string& text) {
  const auto value = parse_fixed(text);
  if (!value) throw std::runtime_error("--param " + name + ": \"" + text + "\" is no number");
  return value->to_double();
}

given_parameters parameters_of(const options& o) {
  given_parameters all;
  for (const auto& text : o.parameters) {
    const auto at = text.find('=');
    if (at == std::string::npos)
      throw std::runtime_error("--param " + text + ": write NAME=NUMBER, such as fast=10");
    const auto name = text.substr(0, at);
    if (!all.emplace(name, number_of(name, text.substr(at + 1))).second)
      throw std::runtime_error("--param " + name + " is there twice");
  }
  return all;
}

orders::size size_of(const options& o) {
  constexpr auto least = fixed::from_raw(1);
  const auto of = [&](const char* name, const std::string& text, sizing by) {
    return orders::size{by, decimal_of(name, text, least)};
  };
  if (!o.notional.empty()) return of("--notional", o.notional, sizing::notional);
  if (!o.percent_of_equity.empty())
    return of("--percent-of-equity", o.percent_of_equity, sizing::percent_of_equity);
  if (!o.volatility_target.empty())
    return of("--volatility-target", o.volatility_target, sizing::volatility_target);
  return of("--quantity", o.quantity.empty() ? "100" : o.quantity, sizing::quantity);
}

paper_options venue_of(const options& o) {
  paper_options venue;
  venue.taker_fee_bps = decimal_of("--fee-bps", o.fee_bps, fixed());
  venue.maker_fee_bps = o.maker_fee_bps.empty() ? venue.taker_fee_bps
                                                : decimal_of("--maker-fee-bps", o.maker_fee_bps,
                                                             fixed::from_raw(-100 * fixed::scale));
  venue.slippage_bps = decimal_of("--slippage-bps", o.slippage_bps, fixed());
  venue.latency_micros = o.latency_ms * 1000;
  venue.displayed_size = o.displayed_size;
  venue.queue_position = o.queue_position;
  return venue;
}

/// Without a file: no limits but the cash that there is.
risk_limits limits_of(const options& o, const paper_options& venue) {
  if (o.limits.empty()) {
    risk_limits all;
    auto& any = all.symbols["*"];
    any.short_max = decimal_of("--short-max", o.short_max, fixed());
    any.rules.price_step = decimal_of("--price-step", o.price_step, fixed::from_raw(1));
    any.rules.quantity_step = decimal_of("--lot", o.lot, fixed::from_raw(1));
    all.fee_reserve_bps = fixed::from_raw(venue.taker_fee_bps.raw() + venue.slippage_bps.raw());
    return all;
  }
  std::ifstream file(o.limits);
  if (!file || std::filesystem::is_directory(o.limits))
    throw std::runtime_error(o.limits +
                             ": cannot read, must be a file like "
                             "config/risk_limits.json");
  trading::faults wrong;
  const auto document = nlohmann::json::parse(file, nullptr, false);
  if (document.is_discarded()) throw std::runtime_error(o.limits + ": not a JSON document");
  auto limits = parse_risk_limits(document, "backtest", wrong);
  if (!limits) throw std::runtime_error(o.limits + ": " + to_string(wrong));
  return std::move(*limits);
}

/// Gives each symbol the rules that its limits have for it.
void set_rules(loaded_market& market, const risk_limits& limits) {
  for (auto& one : market.symbols) {
    const auto* const found = limits.find(one.rules.symbol);
    if (found == nullptr) continue;
    const auto symbol = one.rules.symbol;
    one.rules = found->rules;
    one.rules.symbol = symbol;
  }
}

backtest_settings settings_of(const options& o, loaded_market& market) {
  backtest_settings s;
  s.cash = decimal_of("--cash", o.cash, fixed());
  s.venue = venue_of(o);
  s.limits = limits_of(o, s.venue);
  s.days_per_year = o.days_per_year;
  set_rules(market, s.limits);
  s.session.name = "s";
  s.session.portfolio = "backtest";
  s.session.strategy = o.strategy;
  s.session.parameters = parameters_of(o);
  s.session.bars = market.bars;
  s.session.size = size_of(o);
  for (const auto& one : market.symbols) s.session.instruments.push_back(one.rules);
  return s;
}

void check_session(const session_settings& s) {
  if (const auto answer = check(s); answer.refusal != session_refusal::none)
    throw std::runtime_error(answer.detail);
}

/// What can be known to be wrong before hours of data are read.
void check_early(const options& o) {
  session_settings s;
  s.name = s.portfolio = "x";
  s.strategy = o.strategy;
  s.instruments.resize(1);
  s.instruments[0].symbol = "x";
  if (o.sweeps.empty()) s.parameters = parameters_of(o);
  check_session(s);
  if (o.sweeps.empty() && !o.config.empty())
    throw std::runtime_error("--config is for sweeps: a single run needs no cluster");
  if (o.stop && o.config.empty())
    throw std::runtime_error("--stop is for sweeps over a cluster: add its --config");
  if (o.threads > 0 && !o.config.empty())
    throw std::runtime_error(
        "--threads is for sweeps on this machine; in a cluster it is each node's "
        "backtests.threads");
  if (!is_sweep_metric(o.sweep_by))
    throw std::runtime_error("--by " + o.sweep_by + ": one of " + sweep_metrics());
  if (!o.html.empty()) chart_folder();
}

backtest_report run_one(const options& o, const backtest_settings& settings,
                        const loaded_market& market) {
  backtest_report report{settings, o.data.files, {}};
  feed::progress shown;
  report.result = run_backtest(settings, market.symbols, [&](std::int64_t done) {
    shown.at(static_cast<std::uint64_t>(done),
             static_cast<double>(done) / static_cast<double>(market.events));
  });
  shown.done();
  report.seconds = shown.seconds();
  report.begin = INT64_MAX;
  for (const auto& one : market.symbols) {
    report.begin = std::min(report.begin, one.events.front().time);
    report.end = std::max(report.end, known_at(one.events.back()));
  }
  return report;
}

std::vector<sweep_axis> axes_of(const options& o) {
  std::vector<sweep_axis> axes;
  for (const auto& text : o.sweeps) {
    axes.push_back(parse_axis(text));
    for (std::size_t i = 0; i + 1 < axes.size(); ++i)
      if (axes[i].name == axes.back().name)
        throw std::runtime_error("--sweep " + axes.back().name + " is there twice");
  }
  return axes;
}

cluster_sweep run_here(const options& o, const backtest_settings& settings,
                       const loaded_market& market) {
  const auto threads =
      o.threads > 0 ? o.threads : std::max<std::size_t>(1, std::thread::hardware_concurrency());
  feed::catch_interrupts();
  feed::progress shown("runs");
  cluster_sweep sweep;
  sweep.result = run_sweep(settings, market.symbols, axes_of(o), o.sweep_by, threads,
                           [&](std::size_t done, std::size_t all) {
                             shown.at(done, static_cast<double>(done) / static_cast<double>(all));
                             return !feed::interrupted();
                           });
  shown.done();
  sweep.interrupted = feed::interrupted();
  return sweep;
}

int tell_interrupted(const cluster_sweep& sweep) {
  std::cerr << "backtest: interrupted\n";
  if (!sweep.id.empty())
    std::cerr << "sweep " << sweep.id
              << " goes on in the cluster: the same command again waits for it and shows its "
                 "results; with --stop it ends it\n";
  return exit_interrupted;
}

std::string parameters_text(const std::vector<sweep_axis>& axes, const given_parameters& of) {
  std::string line = "  ";
  for (const auto& axis : axes) line += axis.name + '=' + number_text(of.at(axis.name)) + ' ';
  line.resize(std::max<std::size_t>(line.size(), 26), ' ');
  return line;
}

void print_best(const options& o, const sweep_result& sweep) {
  std::cout << feed::grouped(sweep.runs.size()) << " runs";
  if (sweep.left_out > 0)
    std::cout << " (" << feed::grouped(sweep.left_out) << " combinations are not allowed)";
  std::cout << " in " << two_decimals(sweep.seconds) << " s; the best by " << sweep.by << ":\n";
  for (std::size_t i = 0; i < std::min(o.top, sweep.runs.size()); ++i) {
    const auto& [parameters, m] = sweep.runs[i];
    std::cout << parameters_text(sweep.axes, parameters) << "return " << percent(m.total_return)
              << ", Sharpe " << two_decimals(m.sharpe) << ", drawdown " << percent(m.max_drawdown)
              << ", " << feed::grouped(static_cast<std::uint64_t>(m.trades)) << " trades\n";
  }
}

/// Standard error, so that JSON stays whole.
void print_failures(const options& o, const cluster_sweep& sweep) {
  if (!sweep.failed.empty())
    std::cerr << feed::grouped(sweep.failed.size())
              << " runs failed; the same command again runs them again:\n";
  for (std::size_t i = 0; i < std::min(o.top, sweep.failed.size()); ++i)
    std::cerr << parameters_text(sweep.result.axes, sweep.failed[i].parameters)
              << sweep.failed[i].reason << '\n';
  if (!sweep.stopped.empty())
    std::cerr << "the sweep is not complete: " << sweep.stopped
              << "; the same command again goes on\n";
}

nlohmann::json failures_json(const cluster_sweep& sweep) {
  auto list = nlohmann::json::array();
  for (const auto& one : sweep.failed)
    list.push_back({{"parameters", one.parameters}, {"reason", one.reason}});
  return list;
}

nlohmann::json sweep_runs_json(const sweep_result& sweep) {
  auto list = nlohmann::json::array();
  for (const auto& run : sweep.runs)
    list.push_back({{"parameters", run.parameters}, {"metrics", json_of(run.metrics)}});
  return list;
}

void write_page(const std::string& path, const std::string& page) {
  const auto folder = std::filesystem::path(path).parent_path();
  if (!folder.empty()) std::filesystem::create_directories(folder);
  std::ofstream file(path, std::ios::binary);
  file << page;
  file.close();
  if (!file) throw std::runtime_error(path + ": cannot write");
  std::cerr << "page: " << path << '\n';
}

void print(const options& o, const backtest_report& report, const cluster_sweep* sweep,
           std::uint64_t skipped) {
  if (o.as_json) {
    auto all = json_of(report);
    if (sweep != nullptr) all["sweep"] = sweep_runs_json(sweep->result);
    if (sweep != nullptr && !sweep->id.empty()) {
      all["sweep_id"] = sweep->id;
      all["sweep_failed"] = failures_json(*sweep);
    }
    std::cout << all.dump() << '\n';
    return;
  }
  if (sweep != nullptr) {
    print_best(o, sweep->result);
    std::cout << "\nThe best one:\n";
  }
  std::cout << text_of(report);
  if (skipped > 0)
    std::cout << feed::grouped(skipped)
              << " records were left out: tickers, book updates, other bars, bad lines\n";
}

int run(const options& o) {
  check_early(o);
  std::optional<app::settings> cluster;
  if (!o.config.empty()) cluster = load_settings_or_throw(o.config);
  auto market = load_market(o.data);
  auto settings = settings_of(o, market);
  std::optional<cluster_sweep> sweep;
  if (cluster) {
    const auto recording = encode_recording(market.symbols);
    const auto order = make_sweep_order(settings, axes_of(o), name_of_recording(recording));
    if (o.stop) {
      std::cout << stop_on_cluster(*cluster, order) << '\n';
      return 0;
    }
    sweep = run_on_cluster(*cluster, order, recording, o.sweep_by);
  } else if (!o.sweeps.empty()) {
    sweep = run_here(o, settings, market);
  }
  if (sweep) {
    if (sweep->interrupted) return tell_interrupted(*sweep);
    print_failures(o, *sweep);
    if (sweep->result.runs.empty()) throw std::runtime_error("no run of the sweep is done");
    settings.session.parameters = sweep->result.runs.front().parameters;
  }
  check_session(settings.session);
  const auto report = run_one(o, settings, market);
  print(o, report, sweep ? &*sweep : nullptr, market.skipped);
  if (!o.html.empty())
    write_page(o.html, page_of(report, market.symbols, sweep ? &sweep->result : nullptr));
  return sweep && (!sweep->failed.empty() || !sweep->stopped.empty()) ? exit_failed : 0;
}

void add_data_options(CLI::App& command, options& o) {
  command
      .add_option(
          "--data", o.data.files,
          "Bars as CSV (columns date or ts_ms, open, high, low, close, volume; the symbol is "
          "the file's name, or SYMBOL=FILE), trades or quotes as CSV, recorded frames; "
          "plain, gzip or zstd; repeatable")
      ->required();
  command.add_option("--symbol", o.data.symbols, "Only this symbol of the data; repeatable");
  command
      .add_option("--period", o.period,
                  "Bars made from trades (default 1m), or the length of bars by ts_ms")
      ->check(CLI::IsMember({"1s", "1m", "5m", "15m", "1h", "1d"}));
  command.add_flag("--skip-bad-lines", o.data.skip_bad_lines, "Leaves out lines that are no data");
}

void add_size_options(CLI::App& command, options& o) {
  auto* const sizes = command.add_option_group("size", "How many to buy or sell with an order");
  sizes->add_option("--quantity", o.quantity, "Units of the instrument (default 100)");
  sizes->add_option("--notional", o.notional, "For so much money");
  sizes->add_option("--percent-of-equity", o.percent_of_equity, "For so much of the equity");
  sizes->add_option("--volatility-target", o.volatility_target,
                    "So many that one day's deviation is this percentage of the equity");
  sizes->require_option(0, 1);
}

void add_venue_options(CLI::App& command, options& o) {
  command.add_option("--cash", o.cash, "At the beginning")->capture_default_str();
  command.add_option("--fee-bps", o.fee_bps, "Fee of takers, basis points of the value")
      ->capture_default_str();
  command.add_option("--maker-fee-bps", o.maker_fee_bps, "Of makers; below 0: a rebate");
  command.add_option("--slippage-bps", o.slippage_bps, "How much worse takers' prices are")
      ->capture_default_str();
  command.add_option("--latency-ms", o.latency_ms, "From a decision to the venue")
      ->capture_default_str()
      ->check(CLI::Range(0, 60'000));
  command.add_flag("--displayed-size", o.displayed_size,
                   "Fills take at most what the quote or trade shows");
  command.add_flag("--queue-position", o.queue_position,
                   "Limit orders wait behind what was displayed before them");
  command.add_option("--price-step", o.price_step, "Prices of orders are multiples of this")
      ->default_val("0.00000001");
  command.add_option("--lot", o.lot, "Quantities are multiples of this")->default_val("0.00000001");
  command.add_option("--short-max", o.short_max, "Short positions up to this many units")
      ->capture_default_str();
  command.add_option("--limits", o.limits,
                     "Limits of the risk check (a file like config/risk_limits.json; those of the "
                     "portfolio `backtest` or the default ones) instead of the three above");
}

void add_sweep_options(CLI::App& command, options& o) {
  command.add_option("--sweep", o.sweeps,
                     "Every value of a parameter, NAME=FROM:TO:STEP; repeatable for combinations");
  command.add_option("--by", o.sweep_by, "What ranks the runs: " + sweep_metrics())
      ->capture_default_str();
  command.add_option("--threads", o.threads, "Of a sweep (default: one a core)");
  command.add_option("-c,--config", o.config,
                     "A node's config file: spreads the sweep over its cluster; the same command "
                     "again goes on where it is");
  command.add_flag("--stop", o.stop, "Ends this sweep in the cluster: no further runs begin");
  command.add_option("--top", o.top, "How many of the best are shown")->capture_default_str();
}

}  // namespace

void add_backtest_command(CLI::App& app, int& exit_code) {
  auto* command = app.add_subcommand(
      "backtest",
      "Runs a strategy over recorded data, on this machine; sweeps over a cluster, too");
  static options o;
  command->add_option("--strategy", o.strategy, "One of " + strategy_names())->required();
  command->add_option("--param", o.parameters, "NAME=NUMBER; repeatable");
  add_data_options(*command, o);
  add_size_options(*command, o);
  add_venue_options(*command, o);
  add_sweep_options(*command, o);
  command->add_option("--days-per-year", o.days_per_year, "252 for exchanges, 365 for crypto")
      ->capture_default_str()
      ->check(CLI::Range(1, 366));
  command->add_flag("--json", o.as_json, "Everything as one JSON object");
  command->add_option("--html", o.html, "A page with charts, one file that works offline");
  command->footer(
      "Example: troupe backtest --strategy sma_cross --data SPY.csv --param fast=10 --param "
      "slow=20 "
      "--html spy.html\n"
      "docs/backtest.md has the rules of fills and the conventions of the figures.");
  command->callback([&exit_code] {
    if (!o.period.empty()) o.data.bars = market::parse_period(o.period);
    exit_code = guarded("backtest", [] { return run(o); });
  });
}

}  // namespace troupe::app
