// A sweep over clusters of one, two and three nodes, one job thread each, beside the same sweep on
// one and two threads of this process: 90 SMA crosses over 300,000 one-minute bars. The best of
// three rounds; all of them share the machine's cores, so more nodes than cores gain nothing here.
#include <cstring>
#include <deque>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <random>

#include "app/backtest/market_files.hpp"
#include "app/backtest/sweep.hpp"
#include "bench/support/node_run.hpp"

namespace {

using namespace troupe;
using namespace troupe::bench;
using namespace std::chrono_literals;

constexpr int bars = 300'000, rounds = 3, nodes_max = 3;
const std::vector<std::string> axes{"fast=5:50:5", "slow=20:200:20"};

void write_bars(const std::string& path) {
  std::mt19937 random(42);
  std::ofstream file(path);
  file << "ts_ms,open,high,low,close,volume\n";
  int price = 100'000;  // Tenths of cents.
  for (int i = 0; i < bars; ++i) {
    const int open = price;
    price = std::max(10'000, price + static_cast<int>(random() % 161) - 80);
    file << 1'700'000'040'000 + std::int64_t{i} * 60'000;
    for (const int p : {open, std::max(open, price), std::min(open, price), price})
      file << ',' << p / 1000 << '.' << p / 100 % 10 << p / 10 % 10 << p % 10;
    file << ",1000\n";
  }
}

/// Seconds of the sweep on threads of this process.
double seconds_here(const app::loaded_market& market, std::size_t threads) {
  trading::backtest_settings s;
  s.session.name = "s";
  s.session.portfolio = "backtest";
  s.session.strategy = "sma_cross";
  s.session.bars = market.bars;
  s.session.instruments = {market.symbols[0].rules};
  s.session.size.amount = fixed::from_raw(100 * fixed::scale);
  s.limits.symbols["*"];
  std::vector<trading::sweep_axis> all;
  for (const auto& axis : axes) all.push_back(trading::parse_axis(axis));
  return app::run_sweep(s, market.symbols, all, "sharpe", threads,
                        [](std::size_t, std::size_t) { return true; })
      .seconds;
}

/// A cluster whose nodes have one job thread each.
class cluster {
 public:
  explicit cluster(int nodes) : folder_(R"("backtests": {"threads": 1})", 16, nodes) {
    if (test::run_troupe({"migrate", "--config", folder_.node_config()}).exit_code != 0)
      throw std::runtime_error("no database");
    for (int n = 1; n <= nodes; ++n)
      nodes_
          .emplace_back(std::vector<std::string>{test::troupe_binary(), "node", "--config",
                                                 folder_.node_config(n)})
          .start();
    test::wait_until("shards on every node", 120s, [&] {
      return folder_.database().run(
                 "select count(distinct owner) || ' ' || bool_and(owner is not "
                 "null) from shard") == std::to_string(nodes) + " true";
    });
  }

  /// Seconds from the submission of a sweep to the end of its last run.
  double seconds_of(const std::string& data, int round) const {
    const auto result =
        test::run_troupe({"backtest", "--strategy", "sma_cross", "--data", data, "--json", "--cash",
                          std::to_string(100'000 + round), "--sweep", axes[0], "--sweep", axes[1],
                          "--config", folder_.node_config()});
    if (result.exit_code != 0) throw std::runtime_error(result.output);
    return std::stod(folder_.database().run(
        "select extract(epoch from ended_at - submitted_at) from backtest_sweeps order by "
        "submitted_at desc limit 1"));
  }

 private:
  test::cluster_folder folder_;
  std::deque<test::node_process> nodes_;
};

}  // namespace

int main(int argc, char** argv) {
  const bool json = argc > 1 && std::strcmp(argv[1], "--json") == 0;
  const auto folder =
      std::filesystem::temp_directory_path() / ("troupe-bench-sweep-" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  const std::string data = folder / "SPY.csv";
  write_bars(data);
  app::market_files files;
  files.files = {data};
  const auto market = app::load_market(files);
  double here = 1e9, here_two = 1e9;
  std::vector<double> there(nodes_max, 1e9);
  for (int n = 1; n <= nodes_max; ++n) {
    const cluster nodes(n);
    for (int round = 0; round < rounds; ++round) {
      here = std::min(here, seconds_here(market, 1));
      here_two = std::min(here_two, seconds_here(market, 2));
      auto& best = there[static_cast<std::size_t>(n - 1)];
      best = std::min(best, nodes.seconds_of(data, round));
    }
  }
  std::filesystem::remove_all(folder);
  print(json, "sweep", "this process, 1 thread", here, "s");
  print(json, "sweep", "this process, 2 threads, speed-up", here / here_two, "times");
  for (int n = 1; n <= nodes_max; ++n) {
    const auto seconds = there[static_cast<std::size_t>(n - 1)];
    const auto name = std::to_string(n) + (n == 1 ? " node" : " nodes");
    print(json, "sweep", name, seconds, "s");
    print(json, "sweep", name + ", speed-up", here / seconds, "times");
  }
}
