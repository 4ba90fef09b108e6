#include "app/backtest/cluster_sweep.hpp"

#include <chrono>
#include <iostream>
#include <thread>

#include "actors/trading/backtest_sweep.hpp"
#include "actors/trading/run_figures.hpp"
#include "app/backtest/recording_cache.hpp"
#include "app/backtest/report.hpp"
#include "app/backtest/sweep_watch.hpp"
#include "app/client.hpp"
#include "app/commands/entity_command.hpp"
#include "app/feed/pace.hpp"
#include "app/feed/progress.hpp"
#include "app/version.hpp"
#include "runtime/http/signature.hpp"
#include "runtime/store/blob_store.hpp"
#include "runtime/store/status_reader.hpp"

namespace troupe::app {

using namespace std::chrono_literals;
using namespace troupe::trading;
using nlohmann::json;
using clock_type = std::chrono::steady_clock;

namespace {

constexpr auto look_first = 20ms, look_most = 250ms;

[[noreturn]] void unreachable(const client_error& why) {
  throw client_error(why.name(), std::string(why.what()) +
                                     "; or leave --config out to run the sweep on this machine "
                                     "alone");
}

/// A node that has answered a moment ago is only busy when it does not: it is asked again.
json command(const settings& all, const entity_id& to, const char* type, const json& body) {
  const auto until = clock_type::now() + sweep_watch::nobody_answers_max;
  json answer;
  while (answer.is_null()) {
    try {
      answer = give_command(all, {to, type, body});
    } catch (const client_error& e) {
      if (clock_type::now() > until) unreachable(e);
      std::this_thread::sleep_for(look_most);
    }
  }
  return answer;
}

/// One that does not run is told at once, before anything is uploaded.
void reach(const settings& all) {
  try {
    client(all).ask({{"verb", "health"}});
  } catch (const client_error& e) {
    unreachable(e);
  }
}

void upload(const settings& all, const std::string& name, const std::string& recording) {
  store::blob_store blobs(all.cluster.postgres.dsn);
  if (blobs.has(name)) return;
  blobs.put(name, recording);
  constexpr double mib = 1 << 20;
  std::cerr << "data: " << two_decimals(static_cast<double>(recording.size()) / mib)
            << " MiB uploaded as " << name.substr(0, 16) << "\n";
}

/// What the sweep's entity would refuse, before anything is uploaded.
void check_axes(const sweep_order& order) {
  if (count_combinations(order.axes) > backtest_sweep::runs_max)
    throw wrong_arguments("--sweep: more than " + feed::grouped(backtest_sweep::runs_max) +
                          " combinations in one sweep over a cluster; give larger steps");
  std::size_t left_out = 0;
  combinations(order.settings.session, order.axes, left_out);
}

/// Waits for the end; returns the last that was told.
json wait_for_end(const settings& all, const std::string& id, json state) {
  feed::catch_interrupts();
  sweep_watch watch(all, id);
  const auto runs = state.at("runs").get<std::uint64_t>();
  const auto share = [runs](const json& of) {
    return static_cast<double>(ended_runs(of)) / static_cast<double>(runs);
  };
  feed::progress shown("runs", ended_runs(state), share(state));
  try {
    for (std::chrono::milliseconds pause = look_first; !is_over(state) && !feed::interrupted();
         pause = std::min<std::chrono::milliseconds>(2 * pause, look_most)) {
      std::this_thread::sleep_for(pause);
      if (auto seen = watch.look()) state = std::move(*seen);
      shown.at(ended_runs(state), share(state));
    }
  } catch (...) {
    shown.done();
    throw;
  }
  shown.done();
  return state;
}

/// Takes what the table of runs has, the failed ones apart.
void read_runs(const settings& all, const sweep_order& order, cluster_sweep& to) {
  store::status_reader reader(all.cluster.postgres.dsn);
  const auto rows = json::parse(reader.read_json(
      "select number, status, reason, initial_equity, final_equity, fees, days, total_return, "
      "annual_return, volatility, sharpe, sortino, calmar, max_drawdown, max_drawdown_days, "
      "exposure, turnover, fills, trades, wins, losses, win_rate, profit_factor, mean_trade, "
      "mean_win, mean_loss, best_trade, worst_trade, mean_trade_days from backtest_runs where "
      "sweep = " +
      sql_text(to.id) + " order by number"));
  for (const auto& row : rows) {
    auto parameters = order.parameters(row.at("number"));
    if (row.at("status") != "done") {
      to.failed.push_back({std::move(parameters), text_of(row.at("reason"))});
      continue;
    }
    trading::faults wrong;
    field_reader fields(row, "backtest_runs", wrong);
    run_metrics metrics;
    read(fields, metrics);
    if (!wrong.empty())
      throw failure("unexpected_answer", "the row of run " + row.at("number").dump() +
                                             " of sweep " + to.id + ": " +
                                             trading::to_string(wrong));
    to.result.runs.push_back({std::move(parameters), metrics});
  }
}

}  // namespace

sweep_order make_sweep_order(const backtest_settings& settings, std::vector<sweep_axis> axes,
                             std::string recording) {
  sweep_order order{std::move(recording), settings, std::move(axes)};
  auto& limits = order.settings.limits;
  limits.symbols.clear();
  for (const auto& one : settings.session.instruments)
    if (const auto* found = settings.limits.find(one.symbol)) limits.symbols[one.symbol] = *found;
  return order;
}

std::string id_of(const sweep_order& order) {
  constexpr std::size_t digits = 16;
  const auto whole = std::string(version) + '\n' + json_of(order).dump();
  return order.settings.session.strategy + '-' + http::sha256(whole).substr(0, digits);
}

cluster_sweep run_on_cluster(const settings& all, const sweep_order& order,
                             const std::string& recording, const std::string& by) {
  const auto begin = clock_type::now();
  cluster_sweep sweep;
  sweep.id = id_of(order);
  check_axes(order);
  reach(all);
  upload(all, order.data, recording);
  auto state = command(all, sweep_entity(sweep.id), "submit", json_of(order));
  std::cerr << "sweep " << sweep.id << ": " << feed::grouped(state.at("runs")) << " runs, "
            << feed::grouped(state.at("done")) << " of them done before\n";
  state = wait_for_end(all, sweep.id, std::move(state));
  sweep.phase = state.at("phase");
  sweep.reason = state.at("reason");
  sweep.interrupted = !is_over(state);
  if (sweep.interrupted) return sweep;
  read_runs(all, order, sweep);
  sweep.result.axes = order.axes;
  sweep.result.by = by;
  sweep.result.left_out = state.at("left_out");
  sweep.result.seconds = std::chrono::duration<double>(clock_type::now() - begin).count();
  rank(sweep.result);
  return sweep;
}

sweep_report stop_on_cluster(const settings& all, const sweep_order& order) {
  reach(all);
  const auto id = id_of(order);
  const auto state = command(all, sweep_entity(id), "stop", json::object());
  const auto reason = text_of(state.at("reason"));
  json told{{"sweep_id", id},
            {"sweep_phase", state.at("phase")},
            {"sweep_reason", reason.empty() ? json() : json(reason)}};
  for (const auto* name : {"runs", "done", "failed", "open", "left_out"})
    told[name] = state.at(name);
  return {std::move(told), "sweep " + id + " is " + text_of(state.at("phase")) + ": " +
                               feed::grouped(ended_runs(state)) + " of " +
                               feed::grouped(state.at("runs")) + " runs have ended, " +
                               feed::grouped(state.at("open")) + " still run"};
}

}  // namespace troupe::app
