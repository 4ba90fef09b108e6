#include <doctest/doctest.h>

#include <algorithm>
#include <random>

#include "tests/chaos/market_run.hpp"
#include "tests/support/services.hpp"

using namespace troupe::test;
using namespace std::chrono_literals;

namespace {

constexpr market_run::records amount{12, 4000};

/// What an undisturbed run gives; made once.
const market_outcome& undisturbed() {
  static const market_outcome outcome = [] {
    market_run run(amount);
    return run.play([](double) {}, 120s);
  }();
  return outcome;
}

void check_same(const market_outcome& outcome) {
  const auto& expected = undisturbed();
  for (const auto& [view, rows] : expected.tables) {
    CAPTURE(view);
    CHECK(outcome.tables.at(view) == rows);
  }
  for (const auto& [topic, records] : expected.egress) {
    CAPTURE(topic);
    CHECK(outcome.egress.at(topic).size() == records.size());
    CHECK((outcome.egress.at(topic) == records));
  }
  CHECK(outcome.egress_defects.empty());
  CHECK(outcome.egress_skipped == 0);
  CHECK(outcome.received + outcome.dead_letters == amount.symbols * amount.each);
}

}  // namespace

TEST_CASE("an undisturbed run accounts for every record") {
  const auto& outcome = undisturbed();
  CHECK(outcome.dead_letters == amount.symbols * (amount.each / 97));
  CHECK(outcome.received + outcome.dead_letters == amount.symbols * amount.each);
  CHECK(outcome.egress_defects.empty());
  CHECK(outcome.egress.at("market.bars").size() > 1000);
}

TEST_CASE("kill -9 at random moments changes nothing in tables and topics") {
  std::mt19937_64 random(20131008);
  market_run run(amount);
  int kills = 0;
  check_same(run.play(
      [&](double) {
        if (random() % 2 == 0) return;
        run.node().kill();
        ++kills;
        run.node().start();
      },
      180s));
  CHECK(kills >= 10);
}

TEST_CASE("PostgreSQL killed and restarted changes nothing") {
  market_run run(amount);
  check_same(run.play(
      [&](double part) {
        if (part != 0.25 && part != 0.5) return;
        services("kill postgres");
        services("start postgres");
      },
      180s));
  CHECK(run.node().running());
}

TEST_CASE("Kafka stopped and restarted changes nothing") {
  market_run run(amount);
  check_same(run.play(
      [&](double part) {
        if (part != 0.5) return;
        services("stop kafka");
        services("start kafka");
      },
      240s));
  CHECK(run.node().running());
}

TEST_CASE("an entity that throws now and then changes nothing") {
  market_run run(amount, {FAULTY_NODE, "--throw-every", "400"});
  check_same(run.play([](double) {}, 240s));
  CHECK(run.node().running());
}

TEST_CASE("an input on which an entity always throws is quarantined, and all else goes on") {
  market_run run(amount, {FAULTY_NODE, "--throw-on", "1000"});
  const auto outcome = run.play([](double) {}, 240s);
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
