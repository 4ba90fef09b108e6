#include <doctest/doctest.h>
#include <signal.h>

#include <fstream>
#include <future>
#include <random>

#include "runtime/base/partition.hpp"
#include "tests/integration/trading_run.hpp"

using namespace troupe;
using namespace troupe::test;
using nlohmann::json;
using namespace std::chrono_literals;

namespace {

const json limits{{"default", {{"symbols", {{"*", json::object()}}}}}};
constexpr auto backtests = R"("backtests": {"threads": 1)";

using words = std::vector<std::string>;

words plus(words all, const words& more) {
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

/// One-minute bars of a walk.
std::string bars_csv(int count) {
  std::mt19937 random(17);
  std::string text = "ts_ms,open,high,low,close,volume\n";
  int price = 100'000;
  for (int i = 0; i < count; ++i) {
    const int open = price;
    price = std::max(10'000, price + static_cast<int>(random() % 201) - 100);
    text += std::to_string(1'700'000'040'000 + std::int64_t{i} * 60'000);
    for (const int cents : {open, std::max(open, price) + 7, std::min(open, price) - 7, price})
      text += ',' + std::to_string(cents / 100) + '.' + std::to_string(cents / 10 % 10) +
              std::to_string(cents % 10);
    text += ",1000\n";
  }
  return text;
}

/// Nodes, and data to sweep over: a run over a hundred thousand bars takes about 10 ms.
struct sweep_run : trading_run {
  explicit sweep_run(int nodes, int bars, const std::string& more = "")
      : trading_run(nodes, limits, "", backtests + more + "}") {
    write_file(path("SPY.csv"), bars_csv(bars));
    start();
    wait_until("shards on every node", 60s, [&] {
      return sql("select count(distinct owner) from shard") == std::to_string(this->nodes());
    });
  }
  words command(const words& sweeps) const {
    return plus({"backtest", "--strategy", "sma_cross", "--data", path("SPY.csv"), "--cash",
                 "10000000", "--fee-bps", "3", "--slippage-bps", "1", "--json"},
                sweeps);
  }
  /// What stands in the only line of standard output.
  static json answer_of(const run_result& result) {
    const auto at = result.output.find('{');
    REQUIRE_MESSAGE(at != std::string::npos, result.output);
    return json::parse(result.output.substr(at, result.output.find('\n', at) - at));
  }
  /// What all nodes say that they have run since they began.
  int runs_made() const {
    int sum = 0;
    for (int n = 1; n <= nodes(); ++n) {
      const auto config = json::parse(std::ifstream(folder().node_config(n)));
      const auto ask =
          "exec 3<>/dev/tcp/127.0.0.1/" + config["http"]["port"].dump() +
          R"(; printf 'GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' )"
          ">&3; cat <&3";
      const auto text = run_program({"bash", "-c", ask}).output;
      const std::string name = "troupe_backtest_runs_total{outcome=\"done\"} ";
      const auto at = text.find(name);
      REQUIRE_MESSAGE(at != std::string::npos, text);
      sum += std::stoi(text.substr(at + name.size()));
    }
    return sum;
  }
  std::string count(const std::string& where) const {
    return sql("select count(*) from backtest_runs where " + where);
  }
};

const words ninety{"--sweep", "fast=5:50:5", "--sweep", "slow=20:200:20"};

}  // namespace

TEST_CASE("a sweep over three nodes comes to what it comes to here, to the last digit, and once") {
  const sweep_run run(3, 6'000);
  const auto here = sweep_run::answer_of(run_troupe(run.command(ninety)));
  const auto spread = run.cli(run.command(ninety));
  REQUIRE_MESSAGE(spread.exit_code == 0, spread.output);
  const auto there = sweep_run::answer_of(spread);
  CHECK(here["sweep"].size() == 90);
  CHECK(there["sweep"] == here["sweep"]);
  CHECK(there["metrics"] == here["metrics"]);
  CHECK(there["sweep_failed"].empty());
  CHECK(here["sweep"][0]["metrics"]["fills"] > 10);
  CHECK(run.count("status = 'done'") == "90");
  CHECK(run.sql("select count(distinct node) from backtest_runs") == "3");
  CHECK(run.sql("select phase || ' ' || runs || ' ' || done || ' ' || failed || ' ' || left_out || "
                "' ' || array_to_string(symbols, ',') from backtest_sweeps") ==
        "done 90 90 0 10 SPY");
  CHECK(run.sql("select count(*) from timer where kind = 'backtest_job'") == "0");

  const auto made = run.runs_made();
  CHECK(made >= 90);

  const auto before = run.sql(
      "select string_agg(ended || ' ' || asked, ',' order by number) from "
      "backtest_runs");
  const auto again = run.cli(run.command(ninety), 2);
  CHECK(again.output.find("90 of them done before") != std::string::npos);
  CHECK(sweep_run::answer_of(again)["sweep"] == here["sweep"]);
  CHECK(run.sql("select string_agg(ended || ' ' || asked, ',' order by number) from "
                "backtest_runs") == before);
  CHECK(run.runs_made() == made);

  auto others = run.command(ninety);
  others.insert(others.end(), {"--latency-ms", "5"});
  CHECK(sweep_run::answer_of(run.cli(others))["sweep_id"] != there["sweep_id"]);
  CHECK(run.sql("select count(*) from blob") == "1");  // The data went there once.
}

TEST_CASE("a node killed in the middle: every run is there once, with the same results") {
  sweep_run run(3, 400'000, R"(, "ask_again_ms": 500)");
  const auto here = sweep_run::answer_of(run_troupe(run.command(ninety)));
  auto spread = std::async(std::launch::async, [&] { return run.cli(run.command(ninety), 1); });
  wait_until("the sweep to be under way", 120s, [&] {
    return run.count("status = 'done'") > "1" && run.count("node = 'node-3'") != "0";
  });
  run.node(3).kill();
  const auto alive = run.sql("select done < runs from backtest_sweeps");
  const auto result = spread.get();
  CHECK(alive == "t");
  REQUIRE_MESSAGE(result.exit_code == 0, result.output);
  const auto there = sweep_run::answer_of(result);
  CHECK(there["sweep"] == here["sweep"]);
  CHECK(run.count("status = 'done'") == "90");
  CHECK(run.sql("select count(*) from backtest_run") == "90");
  CHECK(run.sql("select phase || ' ' || done || ' ' || open from backtest_sweeps") == "done 90 0");
}

TEST_CASE("Ctrl-C leaves a sweep running; the same command shows its end, --stop ends it") {
  sweep_run run(1, 400'000, R"(, "jobs_max": 4)");
  const auto command = plus(run.command(ninety), {"--config", run.folder().node_config()});
  node_process first(plus({troupe_binary()}, command));
  first.start();
  wait_until("its first run", 120s, [&] { return run.count("status = 'done'") != "0"; });
  first.signal(SIGINT);
  wait_until("its end", 60s, [&] { return !first.running(); });
  const auto stopped = run.cli(plus(run.command(ninety), {"--stop"}));
  CHECK(stopped.exit_code == 0);
  const auto told = sweep_run::answer_of(stopped);
  CHECK(told["sweep_phase"] == "stopped");
  CHECK(told["sweep_reason"] == "stopped by an operator");
  CHECK(told["runs"] == 90);
  auto as_text = run.command(ninety);
  std::erase(as_text, "--json");
  const auto text = run.cli(plus(as_text, {"--stop"}));
  CHECK_MESSAGE(text.output.find("is stopped: ") != std::string::npos, text.output);
  wait_until("its open runs", 60s,
             [&] { return run.sql("select open from backtest_sweeps") == "0"; });
  const auto done = run.count("status = 'done'");
  CHECK(run.sql("select done < runs from backtest_sweeps") == "t");
  const auto result = run.cli(run.command(ninety));
  REQUIRE_MESSAGE(result.exit_code == 0, result.output);
  CHECK(result.output.find(", " + done + " of them done before") != std::string::npos);
  const auto whole = sweep_run::answer_of(result);
  CHECK(whole["sweep"].size() == 90);
  CHECK(whole["sweep_phase"] == "done");
  CHECK(whole["sweep_reason"].is_null());
  CHECK(!whole.contains("error"));
  CHECK(run.count("status = 'done'") == "90");
}

TEST_CASE("a sweep that somebody stops says so in its JSON, with what is done of it") {
  sweep_run run(1, 400'000, R"(, "jobs_max": 4)");
  auto waiting = std::async(std::launch::async, [&] { return run.cli(run.command(ninety)); });
  wait_until("its first run", 120s, [&] { return run.count("status = 'done'") != "0"; });
  REQUIRE(run.cli(plus(run.command(ninety), {"--stop"})).exit_code == 0);
  const auto result = waiting.get();
  CHECK(result.exit_code == 1);
  const auto told = sweep_run::answer_of(result);
  CHECK(told["error"] == "sweep_stopped");
  CHECK(told["detail"].get<std::string>().find("stopped by an operator") != std::string::npos);
  CHECK(told["sweep_phase"] == "stopped");
  CHECK(told["sweep_reason"] == "stopped by an operator");
  CHECK(std::to_string(told["sweep"].size()) == run.count("status = 'done'"));
}

TEST_CASE("runs whose shard was given up are told of with a remedy instead of being waited for") {
  sweep_run run(1, 2'000, R"(, "ask_again_ms": 500)");
  // What would be refused tells the sweep's id, by which a shard is chosen that is not its own.
  const auto unknown = sweep_run::answer_of(run.cli(plus(run.command(ninety), {"--stop"})));
  REQUIRE(unknown["error"] == "unknown_sweep");
  const auto detail = unknown["detail"].get<std::string>();
  const auto at = detail.find("sma_cross-");
  const auto sweep = detail.substr(at, detail.find(' ', at) - at);
  const auto shard_of = [&](const std::string& key) {
    return partition_of(key, run.folder().shards());
  };
  std::string lost = "a";
  while (shard_of(lost) == shard_of(sweep)) ++lost[0];
  const auto shard = std::to_string(shard_of(lost));
  run.sql("insert into entity(shard, kind, key, schema, state) values (" + shard +
          ", 'portfolio', '" + lost + "', 99, '{}')");
  run.ask({"entity", "show", "portfolio/" + lost});
  wait_until("the shard to be given up", 60s,
             [&] { return run.ask({"health"}).dump().find("given up") != std::string::npos; });

  const auto result = run.cli(run.command(ninety));
  CHECK(result.exit_code == 1);
  const auto told = sweep_run::answer_of(result);
  const auto why = told["detail"].get<std::string>();
  CHECK(told["error"] == "shard_given_up");
  for (const auto& word : {"shard " + shard + " on node-1 was given up", std::string("restart")})
    CHECK_MESSAGE(why.find(word) != std::string::npos, why);
  CHECK(told["sweep_phase"] == "running");
  CHECK(told["open"] != 0);
  CHECK(result.output.find("no run has ended for") != std::string::npos);
  CHECK(run.count("status = 'done'") == std::to_string(told["done"].get<int>()));

  run.sql("delete from entity where schema = 99");
  run.node().kill();
  run.revive();
  wait_until("node 1", 60s, [&] { return run.cli({"leader"}).exit_code == 0; });
  const auto mended = run.cli(run.command(ninety));
  REQUIRE_MESSAGE(mended.exit_code == 0, mended.output);
  CHECK(sweep_run::answer_of(mended)["sweep"].size() == 90);
}

TEST_CASE("what cannot be run has its reason in the table and at the command, and is run again") {
  const sweep_run run(1, 2'000);
  const words four{"--sweep", "fast=5:10:5", "--sweep", "slow=20:40:20"};
  // Somebody has stored something else under the data's name.
  const auto ok = run.cli(run.command(four));
  REQUIRE_MESSAGE(ok.exit_code == 0, ok.output);
  run.sql("delete from blob_part");
  auto other = run.command({"--sweep", "fast=6:7:1"});
  other.insert(other.end(), {"--latency-ms", "7"});
  // The node still has the data in memory: another file is needed.
  write_file(run.path("SPY.csv"), bars_csv(1'999));
  run.sql("create rule lost as on insert to blob_part do instead nothing");
  const auto failed = run.cli(other);
  CHECK(failed.exit_code == 1);
  const auto told = sweep_run::answer_of(failed);
  CHECK(told["error"] == "runs_failed");
  for (const auto* why : {"2 runs failed", "damaged_data", "no run of the sweep is done"})
    CHECK_MESSAGE(told["detail"].get<std::string>().find(why) != std::string::npos, told.dump());
  CHECK(told["sweep_failed"].size() == 2);
  CHECK(told["sweep_phase"] == "done");
  CHECK(run.count("status = 'failed' and reason like 'damaged_data: %'") == "2");
  CHECK(run.sql("select phase || failed from backtest_sweeps where failed > 0") == "done2");
  run.sql("drop rule lost on blob_part");
  run.sql("delete from blob");
  const auto mended = run.cli(other);
  REQUIRE_MESSAGE(mended.exit_code == 0, mended.output);
  CHECK(run.count("status = 'failed'") == "0");
}

TEST_CASE("what stands in the way is told with its remedy before anything is stored") {
  sweep_run run(1, 500);
  const words small{"--sweep", "fast=5:6:1"};
  const auto refused = [&](const words& more, const std::string& why, int code = 1) {
    const auto result = run.cli(plus(run.command({}), more));
    CHECK(result.exit_code == code);
    CHECK_MESSAGE(result.output.find(why) != std::string::npos, result.output);
  };
  constexpr int usage = 2;
  refused({}, "--config is for sweeps", usage);
  refused(plus(small, {"--threads", "2"}), "backtests.threads", usage);
  refused({"--sweep", "fats=5:6:1"}, "no parameter is called fats");
  refused({"--sweep", "fast=1:1000:1", "--sweep", "slow=1:1000:1"}, "combinations", usage);
  refused(plus(small, {"--stop"}), "unknown_sweep");
  CHECK(run_troupe(plus(run.command(small), {"--stop"})).output.find("add its --config") !=
        std::string::npos);
  CHECK(run.sql("select count(*) from backtest_sweeps") == "0");
  CHECK(run.node().stop() == 0);
  refused(small, "leave --config out to run the sweep on this machine");
}
