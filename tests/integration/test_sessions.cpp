#include <doctest/doctest.h>

#include <set>

#include "actors/trading/session.hpp"
#include "tests/integration/trading_run.hpp"

using namespace troupe::test;
using nlohmann::json;

namespace {

using words = std::vector<std::string>;

const json limits{{"default", {{"symbols", {{"SPY", json::object()}, {"IBM", json::object()}}}}}};

words create(const std::string& name, const words& more = {}) {
  words all{"session",    "create",    "--name",    name,      "--portfolio", "p-" + name,
            "--strategy", "sma_cross", "--symbols", "SPY,IBM", "--param",     "fast=3",
            "--param",    "slow=8",    "--period",  "1s",      "--from",      "beginning"};
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

std::string record(const std::string& name, const std::string& type, const std::string& id,
                   const json& body = json::object()) {
  return json{{"to", "session/" + name}, {"type", type}, {"id", id}, {"body", body}}.dump();
}

json by_id(const std::vector<json>& events, const std::string& id) {
  json found = json::array();
  for (const auto& e : events)
    if (e.value("id", "") == id) found.push_back(e);
  return found;
}

}  // namespace

TEST_CASE("commands by the command line: one effect, one answer, whatever node dies between") {
  trading_run run(3, limits);
  run.start();
  CHECK(run.ask(create("s1", {"--id", "c-1"})) == json{{"session", "s1"}, {"phase", "created"}});
  run.node(2).kill();
  CHECK(run.ask(create("s1", {"--id", "c-1"})) == json{{"session", "s1"}, {"phase", "created"}});
  CHECK(run.ask(create("s1"))["error"] == "wrong_phase");
  CHECK(run.ask({"session", "start", "s1", "--id", "c-2"}, 3)["phase"] == "running");
  run.node(3).kill();
  CHECK(run.ask({"session", "start", "s1", "--id", "c-2"})["phase"] == "running");
  run.revive();
  CHECK(run.ask({"session", "pause", "s1"})["phase"] == "paused");
  run.node(1).kill();
  run.revive();
  wait_until("node 1", std::chrono::seconds(60),
             [&] { return run.cli({"leader"}, 1).exit_code == 0; });
  // Nodes that come back take their shards back: what cannot be answered meanwhile is asked again.
  const auto until_done = [&run](const char* command, const char* id, const char* phase, int node) {
    wait_until(std::string("an answer to ") + command, std::chrono::seconds(60), [&] {
      return run.ask({"session", command, "s1", "--id", id}, node).value("phase", "") == phase;
    });
  };
  until_done("resume", "c-3", "running", 2);
  until_done("stop", "c-4", "stopped", 3);
  const auto list = run.ask({"session", "list"});
  REQUIRE(list.size() == 1);
  CHECK(list[0]["phase"] == "stopped");
  CHECK(list[0]["symbols"] == "SPY,IBM");
  CHECK(list[0]["parameters"] == json{{"fast", 3.0}, {"slow", 8.0}});
  until_done("delete", "c-5", "deleted", 1);
  run_result shown;
  wait_until("the session to be shown", std::chrono::seconds(60), [&] {
    shown = run.cli({"session", "show", "s1"});
    return shown.exit_code == 0;
  });
  CHECK(shown.output.find("session s1 is deleted") != std::string::npos);

  const auto events = run.read("session.events");
  for (const auto* id : {"c-1", "c-2", "c-3", "c-4", "c-5"}) CHECK(by_id(events, id).size() == 1);
  std::vector<std::string> life;
  for (const auto& e : events)
    if (e["session"] == "s1") life.push_back(e["event"]);
  CHECK(life ==
        words{"created", "command_refused", "started", "paused", "resumed", "stopped", "deleted"});
}

TEST_CASE("commands by the topic are answered on session.events; wrong records are dead letters") {
  trading_run run(1, limits);
  run.start();
  const json wish{{"portfolio", "p1"}, {"strategy", "buy_and_hold"}, {"symbols", {"SPY"}}};
  run.send("session.commands", {{"s1", record("s1", "create", "t-1", wish)},
                                {"s1", record("s1", "start", "t-2")},
                                {"s1", record("s1", "start", "t-2")}});
  run.node().kill();
  run.start();
  run.send("session.commands", {{"s1", record("s1", "start", "t-2")},
                                {"s1", record("s1", "resume", "t-3")},
                                {"s1", "{"},
                                {"s1", record("s2", "start", "t-4")},
                                {"s1", record("s1", "order_filled", "t-5")},
                                {"s1", json{{"to", "risk/s1"}, {"type", "start"}}.dump()},
                                {"s1", json{{"to", "session/s1"}}.dump()},
                                {"s1", json{{"to", "session/s1"}, {"type", 5}}.dump()},
                                {"s1", record("s1", "pause", "t-7", "no object")},
                                {"s1", record("s1", "stop", "t-6")}});
  wait_until("the last command", std::chrono::seconds(60), [&] {
    return run.sql("select count(*) from sessions where phase = 'stopped'") == "1" &&
           run.sql("select count(*) from outbox") == "0";
  });
  const auto events = run.read("session.events");
  std::vector<std::string> said;
  for (const auto& e : events)
    said.push_back(e.value("id", "") + ' ' + e["event"].get<std::string>() + ' ' +
                   e.value("error", ""));
  CHECK(said ==
        words{"t-1 created ", "t-2 started ", "t-3 command_refused wrong_phase", "t-6 stopped "});
  std::vector<std::string> reasons;
  for (const auto& letter : run.read("dead-letter")) reasons.push_back(letter["reason"]);
  CHECK(reasons == words{"malformed_json", "wrong_key", "unknown_command", "not_a_session",
                         "missing_field", "bad_field", "bad_field"});
}

TEST_CASE("every refusal of a session by its name, by command line; exit code 1") {
  trading_run run(1, limits);
  run.start();
  const auto with = [](const std::string& option, const std::string& value) {
    auto all = create("s2");
    const auto at = std::find(all.begin(), all.end(), option);
    if (at == all.end())
      all.insert(all.end(), {option, value});
    else
      *(at + 1) = value;
    return all;
  };
  const std::vector<std::pair<words, std::string>> table{
      {with("--name", "s 2"), "bad_name"},
      {with("--portfolio", "p/2"), "bad_name"},
      {with("--strategy", "sma"), "unknown_strategy"},
      {with("--param", "fast=0"), "bad_parameter"},
      {with("--param", "speed=1"), "bad_parameter"},
      {with("--size", "0"), "bad_size"},
      {with("--symbols", "SPY,XYZ"), "unknown_symbol"},
      {with("--symbols", "SPY,SPY"), "unknown_symbol"},
      {with("--param", "fast=ten"), "malformed_command"},
      {with("--period", "2m"), "malformed_command"},
      {with("--from", "tomorrow"), "malformed_command"},
      {with("--size-by", "lots"), "malformed_command"},
      {{"session", "start", "nobody"}, "unknown_session"},
      {{"session", "show", "nobody"}, "unknown_entity"},
      {{"session", "start", "nobody"}, "unknown_session"},  // Its shard is well.
      {{"session", "resume", "s1"}, "wrong_phase"},
  };
  REQUIRE(run.ask(create("s1"))["phase"] == "created");
  std::set<std::string> seen;
  for (const auto& [command, error] : table) {
    seen.insert(error);
    CHECK(run.ask(command).value("error", "") == error);
    const auto plain = run.cli(command);
    CHECK(plain.exit_code == 1);
    CHECK(plain.output.find(error + ": ") != std::string::npos);
  }
  for (const auto& name : troupe::trading::names_of<troupe::trading::session_refusal>::list)
    if (name != "none") CHECK_MESSAGE(seen.contains(std::string(name)), std::string(name));
  CHECK(run.sql("select count(*) from sessions") == "1");
}
