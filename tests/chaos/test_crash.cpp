#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "tests/chaos/market_check.hpp"
#include "tests/support/services.hpp"

using namespace troupe::test;
using namespace std::chrono_literals;

namespace {

constexpr market_run::records amount{12, 4000};

void check_same(const market_outcome& outcome) {
  check_outcome(outcome, amount);
  CHECK(outcome.egress_skipped == 0);
}

/// How far the market is committed.
std::string committed(const market_run& run) {
  return run.folder().database().run("select coalesce(sum(next), 0) from position");
}

void kill_at_work_or_at_its_start(market_run& run, std::mt19937_64& random, int& at_work) {
  const auto before = committed(run);
  if (random() % 4 != 0) wait_until("a commit", 30s, [&] { return committed(run) != before; });
  std::this_thread::sleep_for(std::chrono::milliseconds(random() % 300));
  REQUIRE(run.node().running());
  run.node().kill();
  if (committed(run) != before) ++at_work;
  run.node().start();
}

}  // namespace

TEST_CASE("an undisturbed run accounts for every record") {
  const auto& outcome = undisturbed(amount);
  CHECK(outcome.dead_letters == amount.symbols * (amount.each / 97));
  CHECK(outcome.received + outcome.dead_letters == amount.symbols * amount.each);
  CHECK(outcome.egress_defects.empty());
  CHECK(outcome.egress_skipped == 0);
  CHECK(outcome.egress.at("market.bars").size() > 1000);
}

TEST_CASE("kill -9 at 20 random moments changes nothing in tables and topics") {
  std::mt19937_64 random(20131008);
  market_run run(amount);
  int at_work = 0;
  check_same(run.play(
      [&](steady_load&) {
        for (int kills = 0; kills < 20; ++kills) kill_at_work_or_at_its_start(run, random, at_work);
      },
      180s));
  MESSAGE(at_work, " of 20 kills after commits of that life");
  CHECK(at_work >= 10);
}

TEST_CASE("PostgreSQL killed and restarted under load changes nothing") {
  market_run run(amount);
  check_same(run.play(
      [&](steady_load& load) {
        for (int time = 0; time < 2; ++time) {
          load.pass(10);
          services("kill postgres");
          services("start postgres");
        }
      },
      180s));
  CHECK(run.node().running());
}

TEST_CASE("Kafka stopped and restarted under load changes nothing") {
  market_run run(amount);
  // Successors of records that waited too long may be in the log without them, then again: readers
  // skip those.
  check_outcome(run.play(
                    [&](steady_load& load) {
                      load.pass(10);
                      services("stop kafka");
                      services("start kafka");
                    },
                    240s),
                amount);
  CHECK(run.node().running());
}

TEST_CASE("an entity that throws now and then changes nothing") {
  market_run run(amount, {FAULTY_NODE, "--throw-every", "100"});
  check_same(run.play([](steady_load& load) { load.pass(50); }, 240s));
  CHECK(run.node().running());
  const auto status = run_troupe({"status", "--json", "--config", run.folder().node_config()});
  REQUIRE_MESSAGE(status.exit_code == 0, status.output);
  const auto restarts = nlohmann::json::parse(status.output).at("shards").at("restarts").get<int>();
  MESSAGE(restarts, " restarts of shards");
  CHECK(restarts > 0);
}

TEST_CASE("an input on which an entity always throws is quarantined, and all else goes on") {
  market_run run(amount, {FAULTY_NODE, "--throw-on", "1000"});
  const auto outcome = run.play({}, 240s);
  const auto held = std::stoll(
      run.folder().database().run("select count(*) from quarantine where state = 'held'"));
  const auto& letters = outcome.egress.at("dead-letter");
  CHECK(held >= 1);
  CHECK(held == std::ranges::count_if(letters, [](const auto& l) {
          return l.find("\"quarantined\"") != std::string::npos;
        }));
  CHECK(outcome.received + outcome.dead_letters == amount.symbols * amount.each);
  const auto listed =
      run_troupe({"quarantine", "list", "--json", "--config", run.folder().node_config()});
  CHECK(listed.exit_code == 0);
  CHECK(listed.output.find("a defect, always on this event") != std::string::npos);
}

TEST_CASE(
    "a shard that fails again and again is given up, and whoever asks for the node's health is "
    "told") {
  market_run run({1, 100}, {FAULTY_NODE, "--throw-every", "1"},
                 R"("entities": {"restarts_per_minute_max": 5, "restart_backoff_ms": 1,
                                 "restart_backoff_max_ms": 20})");
  const auto health = [&] {
    return run_troupe({"health", "--config", run.folder().node_config()});
  };
  const auto healthz = [&] {
    return run_program({"bash", "-c",
                        "exec 3<>/dev/tcp/127.0.0.1/" + std::to_string(run.folder().http_port()) +
                            " && printf 'GET /healthz HTTP/1.0\\r\\n\\r\\n' >&3 && cat <&3"})
        .output;
  };
  run.start();
  wait_until("a healthy node", 60s, [&] { return health().exit_code == 0; });
  CHECK(healthz().find(" 200 ") != std::string::npos);
  run.send(0, 100);
  run_result told;
  wait_until("the alert", 60s, [&] {
    told = health();
    return told.output.find("given up") != std::string::npos;
  });
  CHECK(told.exit_code == 1);
  CHECK(told.output.find("unhealthy") != std::string::npos);
  CHECK(told.output.find(": given up: more than 5 restarts a minute, the last for: a defect, now "
                         "and then") != std::string::npos);
  const auto page = healthz();
  CHECK(page.find(" 503 ") != std::string::npos);
  CHECK(page.find("given up: more than 5 restarts a minute") != std::string::npos);
  const auto status = run_troupe({"status", "--config", run.folder().node_config()}).output;
  CHECK(status.find("7 of 8 live") != std::string::npos);  // The others go on.
  CHECK(status.find("given up: more than 5 restarts a minute") != std::string::npos);
  CHECK(run.node().running());
}
