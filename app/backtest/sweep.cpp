#include "app/backtest/sweep.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

#include "app/failure.hpp"

namespace troupe::app {

namespace {

using namespace troupe::trading;

struct metric {
  std::string_view name;
  double (*of)(const run_metrics&);
  /// Is it undefined for want of losses, not of gains? Nothing: it never is.
  bool (*flawless)(const run_metrics&) = nullptr;
};

bool has_days(const run_metrics& m) {
  return !std::isnan(m.annual_return);
}

constexpr metric metrics[] = {
    {"sharpe", [](const run_metrics& m) { return m.sharpe; }},
    {"total_return", [](const run_metrics& m) { return m.total_return; }},
    {"annual_return", [](const run_metrics& m) { return m.annual_return; }},
    {"sortino", [](const run_metrics& m) { return m.sortino; },
     [](const run_metrics& m) { return has_days(m) && m.total_return > 0; }},
    {"calmar", [](const run_metrics& m) { return m.calmar; },
     [](const run_metrics& m) { return has_days(m) && m.total_return > 0; }},
    {"max_drawdown", [](const run_metrics& m) { return -m.max_drawdown; }},
    {"profit_factor", [](const run_metrics& m) { return m.profit_factor; },
     [](const run_metrics& m) { return m.wins > 0; }},
    {"win_rate", [](const run_metrics& m) { return m.win_rate; }},
};

const metric* find_metric(std::string_view name) {
  const auto found =
      std::find_if(std::begin(metrics), std::end(metrics), [&](auto& m) { return m.name == name; });
  return found == std::end(metrics) ? nullptr : found;
}

/// Threads that take one run after the other.
class sweeper {
 public:
  sweeper(const backtest_settings& settings, std::span<const symbol_data> data,
          std::vector<given_parameters> all,
          const std::function<bool(std::size_t, std::size_t)>& watch)
      : settings_(settings), data_(data), watch_(watch) {
    for (auto& one : all) runs_.push_back({std::move(one), {}});
  }

  std::vector<sweep_run> run(std::size_t threads) {
    {
      std::vector<std::jthread> all;
      for (std::size_t i = 0; i < std::min(threads, runs_.size()); ++i)
        all.emplace_back([this] { work(); });
    }
    if (failed_) std::rethrow_exception(failed_);
    return std::move(runs_);
  }

 private:
  void work() {
    try {
      for (std::size_t i = next_++; i < runs_.size() && !stopped_; i = next_++) {
        auto settings = settings_;
        settings.session.parameters = runs_[i].parameters;
        runs_[i].metrics = run_backtest(settings, data_).metrics;
        const std::lock_guard lock(mutex_);
        if (!watch_(++done_, runs_.size())) stopped_ = true;
      }
    } catch (...) {
      const std::lock_guard lock(mutex_);
      failed_ = std::current_exception();
      stopped_ = true;
    }
  }

  const backtest_settings& settings_;
  std::span<const symbol_data> data_;
  const std::function<bool(std::size_t, std::size_t)>& watch_;
  std::vector<sweep_run> runs_;
  std::atomic<std::size_t> next_ = 0;
  std::atomic<bool> stopped_ = false;
  std::mutex mutex_;
  std::size_t done_ = 0;
  std::exception_ptr failed_;
};

}  // namespace

std::vector<given_parameters> combinations(const session_settings& of,
                                           const std::vector<sweep_axis>& axes,
                                           std::size_t& left_out) {
  const auto count = count_combinations(axes);
  if (count > combinations_max)
    throw wrong_arguments("--sweep: more than 1,000,000 combinations; give larger steps");
  const auto& strategy = *find_strategy(of.strategy);
  std::vector<given_parameters> all;
  std::string why;
  for (std::int64_t i = 0; i < count; ++i) {
    auto one = combination(of.parameters, axes, i);
    const auto wrong = parameter_violations(strategy, one);
    if (wrong.empty())
      all.push_back(std::move(one));
    else if (++left_out == 1)
      why = wrong.front();
  }
  if (all.empty()) throw failure("bad_parameter", "--sweep: no combination is allowed: " + why);
  return all;
}

std::string sweep_metrics() {
  std::string names;
  for (const auto& m : metrics) (names += names.empty() ? "" : ", ") += m.name;
  return names;
}

bool is_sweep_metric(const std::string& name) {
  return find_metric(name) != nullptr;
}

double rank_of(const run_metrics& m, const std::string& by) {
  const auto& metric = *find_metric(by);
  if (const double value = metric.of(m); !std::isnan(value)) return value;
  return metric.flawless != nullptr && metric.flawless(m) ? HUGE_VAL : -HUGE_VAL;
}

void rank(sweep_result& sweep) {
  const auto place = [&](const sweep_run& run) {
    return std::pair(rank_of(run.metrics, sweep.by), rank_of(run.metrics, "total_return"));
  };
  std::stable_sort(sweep.runs.begin(), sweep.runs.end(),
                   [&](const auto& a, const auto& b) { return place(a) > place(b); });
}

sweep_result run_sweep(const backtest_settings& settings, std::span<const symbol_data> data,
                       std::vector<sweep_axis> axes, const std::string& by, std::size_t threads,
                       const std::function<bool(std::size_t, std::size_t)>& watch) {
  const auto begin = std::chrono::steady_clock::now();
  sweep_result result;
  result.by = by;
  sweeper work(settings, data, combinations(settings.session, axes, result.left_out), watch);
  result.runs = work.run(threads);
  result.axes = std::move(axes);
  rank(result);
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return result;
}

}  // namespace troupe::app
