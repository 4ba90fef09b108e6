#include <chrono>
#include <iostream>
#include <nlohmann/json.hpp>
#include <thread>

#include "actors/trading/recording.hpp"
#include "actors/trading/run_figures.hpp"
#include "app/backtest/cluster_sweep.hpp"
#include "app/backtest/page.hpp"
#include "app/backtest/recording_cache.hpp"
#include "app/backtest/report.hpp"
#include "app/backtest/sweep.hpp"
#include "app/commands/backtest_options.hpp"
#include "app/commands/command_line.hpp"
#include "app/commands/commands.hpp"
#include "app/feed/pace.hpp"
#include "app/feed/progress.hpp"
#include "runtime/codec/json.hpp"

namespace troupe::app {

namespace {

using namespace troupe::trading;

constexpr const char* usual_page = "backtest.html";
constexpr const char* without_page = "none";

using options = backtest_options;

fixed decimal_of(const char* option, const std::string& text, fixed least) {
  const auto value = parse_fixed(text);
  if (!value || *value < least)
    throw wrong_arguments(std::string(option) + " is \"" + text +
                          "\", and must be a number in digits, such as 12.5, of " +
                          to_string(least) + " to 92233720368, with at most 8 decimals");
  return *value;
}

double number_of(const std::string& name, const std::string& text) {
  const auto value = parse_fixed(text);
  if (!value)
    throw wrong_arguments("--param " + name + ": \"" + text +
                          "\" is no number in digits, such as 10 or 0.5");
  return value->to_double();
}

given_parameters parameters_of(const options& o) {
  given_parameters all;
  for (const auto& text : o.parameters) {
    const auto at = text.find('=');
    if (at == std::string::npos || at == 0)
      throw wrong_arguments("--param " + text + ": write NAME=NUMBER, such as fast=10");
    const auto name = text.substr(0, at);
    if (!all.emplace(name, number_of(name, text.substr(at + 1))).second)
      throw wrong_arguments("--param " + name + " is there twice");
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
  trading::faults wrong;
  const auto document = parse_json_object(read_text_file(o.limits), {.comments = true});
  if (!document.ok())
    throw unusable_file(o.limits + ": " + document.wrong + "; config/risk_limits.json is one");
  auto limits = parse_risk_limits(document.value, "backtest", wrong);
  if (!limits) throw unusable_file(o.limits + ": " + to_string(wrong));
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

/// Strategies that bars tell nothing would stand still, and look like bad ones.
void check_data(const backtest_settings& s, const loaded_market& market) {
  const auto is_tick = [](const market::market_event& e) {
    return e.kind != market::event_kind::bar;
  };
  if (!find_strategy(s.session.strategy)->needs_ticks) return;
  for (const auto& one : market.symbols)
    if (std::none_of(one.events.begin(), one.events.end(), is_tick))
      throw unusable_file(s.session.strategy + " goes by trades and quotes, and the data has " +
                          "nothing but bars of " + one.rules.symbol);
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
  check_data(s, market);
  return s;
}

void check_session(const session_settings& s) {
  if (const auto answer = check(s); answer.refusal != session_refusal::none)
    throw failure(std::string(name_of(answer.refusal)), answer.detail);
}

/// Where the page goes; empty: nowhere. Programs, which read JSON, get one if they ask for it.
std::string page_path(const options& o) {
  if (o.html.empty()) return o.as_json ? "" : usual_page;
  return o.html == without_page ? "" : o.html;
}

sweep_axis axis_of(const std::string& text) {
  try {
    if (text.starts_with('='))
      throw std::runtime_error("--sweep " + text +
                               ": write NAME=FROM:TO:STEP, such as fast=5:50:5");
    return parse_axis(text);
  } catch (const std::runtime_error& e) {
    throw wrong_arguments(e.what());
  }
}

std::vector<sweep_axis> axes_of(const options& o) {
  std::vector<sweep_axis> axes;
  const auto given = parameters_of(o);
  for (const auto& text : o.sweeps) {
    axes.push_back(axis_of(text));
    for (std::size_t i = 0; i + 1 < axes.size(); ++i)
      if (axes[i].name == axes.back().name)
        throw wrong_arguments("--sweep " + axes.back().name + " is there twice");
    if (given.contains(axes.back().name))
      throw wrong_arguments("--sweep " + axes.back().name + " and --param " + axes.back().name +
                            ": give one of them");
  }
  return axes;
}

/// What can be known to be wrong before hours of data are read.
void check_early(const options& o) {
  session_settings s;
  s.name = s.portfolio = "x";
  s.strategy = o.strategy;
  s.instruments.resize(1);
  s.instruments[0].symbol = "x";
  s.parameters = parameters_of(o);
  const auto axes = axes_of(o);
  if (!axes.empty()) s.parameters.clear();  // Judged together with their values.
  s.size = size_of(o);
  check_session(s);
  decimal_of("--cash", o.cash, fixed());
  limits_of(o, venue_of(o));
  if (o.sweeps.empty() && !o.config.empty())
    throw wrong_arguments("--config is for sweeps: a single run needs no cluster");
  if (o.stop && o.config.empty())
    throw wrong_arguments("--stop is for sweeps over a cluster: add its --config");
  if (o.threads > 0 && !o.config.empty())
    throw wrong_arguments(
        "--threads is for sweeps on this machine; in a cluster it is each node's "
        "backtests.threads");
  if (!is_sweep_metric(o.sweep_by))
    throw wrong_arguments("--by " + o.sweep_by + ": one of " + sweep_metrics());
  if (o.html.empty() || page_path(o).empty()) return;
  chart_folder();
  prepare_page(o.html);
}

backtest_report run_one(const options& o, const backtest_settings& settings,
                        const loaded_market& market) {
  backtest_report report{settings, o.data, {}};
  feed::progress shown;
  report.result = run_backtest(settings, market.symbols, [&](std::int64_t done) {
    shown.at(static_cast<std::uint64_t>(done),
             static_cast<double>(done) / static_cast<double>(market.events));
  });
  shown.done();
  report.seconds = shown.seconds();
  report.bad_lines = market.bad_lines;
  report.left_out = market.left_out;
  report.begin = INT64_MAX;
  report.end = INT64_MIN;
  for (const auto& one : market.symbols) {
    for (const auto& e : one.events) {
      report.begin = std::min(report.begin, e.time);
      report.end = std::max(report.end, known_at(e));
    }
  }
  return report;
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

/// What is told of a sweep besides its runs.
nlohmann::json sweep_json(const cluster_sweep& sweep) {
  nlohmann::json all = nlohmann::json::object();
  if (sweep.id.empty()) return all;
  all["sweep_id"] = sweep.id;
  all["sweep_phase"] = sweep.phase;
  all["sweep_reason"] = sweep.reason.empty() ? nlohmann::json() : nlohmann::json(sweep.reason);
  all["sweep_failed"] = failures_json(sweep);
  return all;
}

/// Why a sweep is not what was asked for, although it has ended.
std::optional<failure> trouble_of(const cluster_sweep& sweep) {
  const auto& failed = sweep.failed;
  const std::string none = sweep.result.runs.empty() ? "; no run of the sweep is done" : "";
  const auto failures = failed.empty() ? ""
                                       : feed::grouped(failed.size()) +
                                             " runs failed, the first for " + failed.front().reason;
  if (sweep.phase == "stopped")
    return failure("sweep_stopped",
                   "the sweep is not complete: " + sweep.reason +
                       (failed.empty() ? "" : "; " + failures) + none +
                       "; the same command again goes on",
                   sweep_json(sweep));
  if (failed.empty()) return std::nullopt;
  return failure("runs_failed", failures + none + "; the same command again runs them again",
                 sweep_json(sweep));
}

void print_failures(const options& o, const cluster_sweep& sweep) {
  if (!sweep.failed.empty()) std::cerr << "failed:\n";
  for (std::size_t i = 0; i < std::min(o.top, sweep.failed.size()); ++i)
    std::cerr << parameters_text(sweep.result.axes, sweep.failed[i].parameters)
              << printable(sweep.failed[i].reason) << '\n';
}

/// `trouble`: what went wrong nevertheless, in the same object.
void print_json(const backtest_report& report, const cluster_sweep* sweep,
                const std::optional<failure>& trouble) {
  auto all = json_of(report);
  if (sweep != nullptr) all["sweep"] = sweep_runs_json(sweep->result);
  if (sweep != nullptr) all.update(sweep_json(*sweep));
  if (trouble) all.update(trouble->as_json());
  std::cout << all.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << '\n';
}

void print(const options& o, const backtest_report& report, const cluster_sweep* sweep) {
  if (sweep != nullptr) {
    print_failures(o, *sweep);
    print_best(o, sweep->result);
    std::cout << "\nThe best one:\n";
  }
  std::cout << text_of(report);
}

int tell_interrupted(const options& o, const cluster_sweep& sweep) {
  const failure why("interrupted",
                    sweep.id.empty()
                        ? std::string("nothing is kept of the runs that were done")
                        : "sweep " + sweep.id +
                              " goes on in the cluster: the same command again waits for it and "
                              "shows its results; with --stop it ends it",
                    sweep_json(sweep));
  tell_failure("backtest", why, o.as_json);
  return exit_interrupted;
}

int stop(const options& o, const app::settings& cluster, const sweep_order& order) {
  const auto told = stop_on_cluster(cluster, order);
  std::cout << (o.as_json ? told.json.dump() : told.text) << '\n';
  return 0;
}

/// Writes the page, and tells where it is. For want of the usual one, which nobody has asked for,
/// no run fails; of any other the failure is returned.
std::optional<failure> make_page(const options& o, const backtest_report& report,
                                 const loaded_market& market, const sweep_result* sweep) {
  const auto path = page_path(o);
  if (path.empty()) return std::nullopt;
  auto& told = o.as_json ? std::cerr : std::cout;
  try {
    write_page(path, page_of(report, market.symbols, sweep));
    told << "page: " << path << '\n';
  } catch (const failure& e) {
    if (!o.html.empty()) return e;
    told << "no page: " << printable(e.what()) << '\n';
  }
  return std::nullopt;
}

/// The run of these settings, or the best of a sweep, with all that is wanted of it.
int show(const options& o, const backtest_settings& settings, const loaded_market& market,
         const cluster_sweep* sweep) {
  check_session(settings.session);
  const auto report = run_one(o, settings, market);
  auto trouble = sweep != nullptr ? trouble_of(*sweep) : std::nullopt;
  if (!o.as_json) print(o, report, sweep);
  auto unwritten = make_page(o, report, market, sweep != nullptr ? &sweep->result : nullptr);
  if (!trouble) trouble = std::move(unwritten);
  if (o.as_json) print_json(report, sweep, trouble);
  if (!trouble) return 0;
  if (!o.as_json) tell_failure("backtest", *trouble, false);
  return exit_failed;
}

int run(const options& o) {
  check_early(o);
  std::optional<app::settings> cluster;
  if (!o.config.empty()) cluster = read_settings(o.config);
  auto market = load_market(o.data);
  auto settings = settings_of(o, market);
  std::optional<cluster_sweep> sweep;
  if (cluster) {
    const auto recording = encode_recording(market.symbols);
    const auto order = make_sweep_order(settings, axes_of(o), name_of_recording(recording));
    if (o.stop) return stop(o, *cluster, order);
    sweep = run_on_cluster(*cluster, order, recording, o.sweep_by);
  } else if (!o.sweeps.empty()) {
    sweep = run_here(o, settings, market);
  }
  if (!sweep) return show(o, settings, market, nullptr);
  if (sweep->interrupted) return tell_interrupted(o, *sweep);
  if (sweep->result.runs.empty()) {
    if (!o.as_json) print_failures(o, *sweep);
    throw trouble_of(*sweep).value_or(failure("no_run_done", "no run of the sweep is done"));
  }
  settings.session.parameters = sweep->result.runs.front().parameters;
  return show(o, settings, market, &*sweep);
}

}  // namespace

void add_backtest_command(CLI::App& app, int& exit_code) {
  auto* command = app.add_subcommand(
      "backtest",
      "Runs a strategy over recorded data, on this machine; sweeps over a cluster, too");
  static options o;
  add_backtest_options(*command, o);
  on_run(*command, exit_code, [] {
    if (!o.period.empty()) o.data.bars = market::parse_period(o.period);
    return run(o);
  });
}

}  // namespace troupe::app
