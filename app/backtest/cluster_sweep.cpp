#include "app/backtest/cluster_sweep.hpp"

#include <chrono>
#include <iostream>
#include <thread>

#include "actors/trading/backtest_sweep.hpp"
#include "actors/trading/run_figures.hpp"
#include "app/backtest/recording_cache.hpp"
#include "app/backtest/report.hpp"
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

constexpr auto nobody_answers_max = 30s;
constexpr auto look_first = 20ms, look_most = 250ms;

entity_id entity_of(const std::string& id) {
  return {std::string(backtest_sweep_kind), id};
}

[[noreturn]] void unreachable(const settings& all, const std::string& why) {
  throw client_error("node " + all.node.id + " of this config does not answer (" + why +
                     "): start it, give the --config of one that runs, or leave --config out to "
                     "run the sweep on this machine alone");
}

void throw_refusal(const json& answer) {
  if (!answer.contains("error")) return;
  throw client_error(text_of(answer.at("error")) + ": " +
                     (answer.contains("detail") ? text_of(answer.at("detail")) : ""));
}

/// A node that has answered a moment ago is only busy when it does not: it is asked again.
json command(const settings& all, const entity_id& to, const char* type, const json& body) {
  const auto until = clock_type::now() + nobody_answers_max;
  json answer;
  while (answer.is_null()) {
    try {
      answer = give_command(all, {to, type, body});
    } catch (const client_error& e) {
      if (clock_type::now() > until) unreachable(all, e.what());
      std::this_thread::sleep_for(look_most);
    }
  }
  throw_refusal(answer);
  return answer;
}

/// One that does not run is told at once, before anything is uploaded.
void reach(const settings& all) {
  try {
    client(all).ask({{"verb", "health"}});
  } catch (const client_error& e) {
    unreachable(all, e.what());
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
    throw client_error("--sweep: more than " + feed::grouped(backtest_sweep::runs_max) +
                       " combinations in one sweep over a cluster");
  std::size_t left_out = 0;
  combinations(order.settings.session, order.axes, left_out);
}

/// Asks a sweep how far it is, whatever happens to the node meanwhile.
class watcher {
 public:
  watcher(const settings& all, std::string id) : all_(all), id_(std::move(id)) {}

  /// Nothing: nobody answers at this moment.
  std::optional<json> look() {
    try {
      if (!client_) client_ = std::make_unique<client>(all_);
      auto answer = client_->ask({{"verb", "ask"},
                                  {"entity", to_string(entity_of(id_))},
                                  {"type", "show"},
                                  {"body", json::object()}});
      if (!answer.contains("error")) {
        answered_ = clock_type::now();
        return answer;
      }
      last_ = answer.at("error");
    } catch (const client_error& e) {
      last_ = e.what();
      client_.reset();
    }
    if (clock_type::now() - answered_ > nobody_answers_max)
      throw client_error("nobody has answered for 30 s (" + last_ +
                         "); the sweep goes on in the cluster: run the same command again");
    return std::nullopt;
  }

 private:
  const settings& all_;
  const std::string id_;
  std::unique_ptr<client> client_;
  clock_type::time_point answered_ = clock_type::now();
  std::string last_;
};

std::uint64_t ended(const json& state) {
  return state.at("done").get<std::uint64_t>() + state.at("failed").get<std::uint64_t>();
}

bool is_over(const json& state) {
  return state.at("open") == 0 && state.at("phase") != "running";
}

/// Waits for the end; returns the last that was told.
json wait_for_end(const settings& all, const std::string& id, json state) {
  feed::catch_interrupts();
  watcher watch(all, id);
  const auto runs = state.at("runs").get<std::uint64_t>();
  const auto share = [runs](const json& of) {
    return static_cast<double>(ended(of)) / static_cast<double>(runs);
  };
  feed::progress shown("runs", ended(state), share(state));
  for (std::chrono::milliseconds pause = look_first; !is_over(state) && !feed::interrupted();
       pause = std::min<std::chrono::milliseconds>(2 * pause, look_most)) {
    std::this_thread::sleep_for(pause);
    if (auto seen = watch.look()) state = std::move(*seen);
    shown.at(ended(state), share(state));
  }
  shown.done();
  return state;
}

/// Takes what the table of runs has, the failed ones apart.
void read_runs(const settings& all, const sweep_order& order, cluster_sweep& to) {
  store::status_reader reader(all.cluster.postgres.dsn);
  const auto rows = json::parse(reader.read_json(
      "select number, status, reason, r.initial_equity::text, r.final_equity::text, r.fees::text, "
      "days, total_return, annual_return, volatility, sharpe, sortino, calmar, max_drawdown, "
      "max_drawdown_days, exposure, turnover, fills, trades, wins, losses, win_rate, "
      "profit_factor, mean_trade, mean_win, mean_loss, best_trade, worst_trade, mean_trade_days "
      "from backtest_runs r where sweep = " +
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
    if (!wrong.empty()) throw client_error(trading::to_string(wrong));
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
  auto state = command(all, entity_of(sweep.id), "submit", json_of(order));
  std::cerr << "sweep " << sweep.id << ": " << feed::grouped(state.at("runs")) << " runs, "
            << feed::grouped(state.at("done")) << " of them done before\n";
  state = wait_for_end(all, sweep.id, std::move(state));
  sweep.interrupted = !is_over(state);
  if (sweep.interrupted) return sweep;
  if (state.at("phase") == "stopped") sweep.stopped = state.at("reason");
  read_runs(all, order, sweep);
  sweep.result.axes = order.axes;
  sweep.result.by = by;
  sweep.result.left_out = state.at("left_out");
  sweep.result.seconds = std::chrono::duration<double>(clock_type::now() - begin).count();
  rank(sweep.result);
  return sweep;
}

std::string stop_on_cluster(const settings& all, const sweep_order& order) {
  reach(all);
  const auto state = command(all, entity_of(id_of(order)), "stop", json::object());
  return "sweep " + id_of(order) + " is " + text_of(state.at("phase")) + ": " +
         feed::grouped(ended(state)) + " of " + feed::grouped(state.at("runs")) +
         " runs have ended, " + feed::grouped(state.at("open")) + " still run";
}

}  // namespace troupe::app
