#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <set>
#include <sstream>

#include "runtime/http/server.hpp"
#include "runtime/http/signature.hpp"
#include "tests/integration/trading_run.hpp"

using namespace troupe;
using namespace troupe::test;
using nlohmann::json;
using namespace std::chrono_literals;

namespace {

constexpr auto secret = "a secret of the tests";
const json limits{{"default", {{"symbols", {{"*", {{"price_step", "0.01"}}}}}}}};

/// Somebody's server: answers what the script says, one word an attempt, and keeps everything.
class receiver {
 public:
  receiver() : server_("receiver", make_routes(), metrics_) {
    port_ = server_.start("127.0.0.1", 0);
    ::setenv("TEST_HOOK_SECRET", secret, 1);
  }
  /// What the next attempts get: a status, or 0 for no answer at all; afterwards 200.
  void answer(std::vector<int> statuses) {
    const std::lock_guard lock(mutex_);
    script_ = std::move(statuses);
  }
  std::vector<http::request> taken() {
    const std::lock_guard lock(mutex_);
    return taken_;
  }
  std::vector<http::request> taken(const std::string& id_begin) {
    auto all = taken();
    std::erase_if(all,
                  [&](const auto& r) { return !r.header("x-troupe-id")->starts_with(id_begin); });
    return all;
  }
  std::string channels() const {
    return R"("notifications": {"channels": {"hook": {"type": "webhook", "url": "http://127.0.0.1:)" +
           std::to_string(port_) +
           R"(/hook", "secret": "${TEST_HOOK_SECRET}"}, "bus": {"type": "kafka"},
           "lines": {"type": "log"}}, "timeout_ms": 1000, "backoff_ms": 50, )";
  }

 private:
  http::routes make_routes() {
    http::routes r;
    r.post("/hook", [this](http::request q, http::reply reply) {
      const std::lock_guard lock(mutex_);
      taken_.push_back(std::move(q));
      int status = 200;
      if (!script_.empty()) {
        status = script_.front();
        script_.erase(script_.begin());
      }
      if (status != 0) return reply(http::plain(status));
      silent_.push_back(reply);
    });
    return r;
  }

  std::mutex mutex_;
  std::vector<int> script_;
  std::vector<http::request> taken_;
  std::vector<http::reply> silent_;
  metrics::registry metrics_;
  http::server server_;
  std::uint16_t port_ = 0;
};

bool signed_rightly(const http::request& r) {
  const auto time = std::string(r.header("x-troupe-timestamp").value_or(""));
  return r.header("x-troupe-signature") ==
         "sha256=" + http::hmac_sha256(secret, time + '.' + r.body);
}

json of_channel(const trading_run& run, const std::string& name) {
  for (const auto& row : run.ask({"notification", "list"}))
    if (row.at("channel") == name) return row;
  return {};
}

std::string log_of(const trading_run& run) {
  std::ifstream in(run.folder().log_file());
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::vector<json> with_rule(const std::vector<json>& all, const std::string& rule) {
  std::vector<json> found;
  for (const auto& one : all)
    if (one.at("rule") == rule) found.push_back(one);
  return found;
}

}  // namespace

TEST_CASE("a receiver that fails, a node killed between: delivered in the end, under one id") {
  receiver to;
  to.answer({500, 0, 503});
  trading_run run(1, limits, "", to.channels() + R"("halts": ["hook", "bus", "lines"]})");
  run.start();
  REQUIRE(run.ask({"risk", "halt", "p1", "--reason", "a test"})["state"] == "halted");
  wait_until("two attempts", 60s, [&] { return to.taken().size() == 2; });
  run.node().kill();  // While the second waits for its answer.
  run.start();
  wait_until("its delivery", 60s, [&] { return of_channel(run, "hook")["delivered"] == 1; });
  const auto attempts = to.taken();
  CHECK(attempts.size() == 4);
  for (const auto& one : attempts) {
    CHECK(one.header("x-troupe-id") == "state-p1-1");
    CHECK(one.body == attempts[0].body);
    CHECK(signed_rightly(one));
  }
  const auto body = json::parse(attempts[0].body);
  CHECK(body["rule"] == "halts");
  CHECK(body["text"] == "trading of portfolio p1 is halted");
  CHECK(body["facts"]["reason"] == "a test");
  CHECK(of_channel(run, "hook")["waiting"] == 0);
  CHECK(of_channel(run, "hook")["dead"] == 0);
  const auto records = run.read("notifications");
  REQUIRE(records.size() == 1);
  CHECK(records[0]["id"] == "state-p1-1");
  CHECK(records[0]["channel"] == "bus");
  CHECK(log_of(run).find("id=state-p1-1") != std::string::npos);
  CHECK(log_of(run).find(secret) == std::string::npos);
  CHECK(run.sql("select count(*) from entity where state::text like '%secret of the tests%'") ==
        "0");
}

TEST_CASE("a channel is tested by command line, which says how it ended") {
  receiver to;
  trading_run run(1, limits, "", to.channels() + R"("attempts_max": 2})");
  run.start();
  for (const auto* channel : {"hook", "bus", "lines"}) {
    const auto tested = run.cli({"notification", "test", channel});
    CHECK_MESSAGE(tested.exit_code == 0, tested.output);
    CHECK(tested.output.find("is delivered") != std::string::npos);
  }
  to.answer({410});
  const auto refused = run.cli({"notification", "test", "hook"});
  CHECK(refused.exit_code == 1);
  CHECK(refused.output.starts_with("troupe notification test: refused: test-"));
  CHECK(refused.output.ends_with(" was given up: HTTP status 410\n"));
  to.answer({429, 408});
  CHECK(run.ask({"notification", "test", "hook"})["error"] == "attempts_max");
  const auto unknown = run.cli({"notification", "test", "nobody"});
  CHECK(unknown.exit_code == 1);
  CHECK(unknown.output.find("no channel nobody") != std::string::npos);
  const auto strange = run.cli({"notification", "show", "nobody"});
  CHECK(strange.exit_code == 1);
  CHECK(
      strange.output ==
      "troupe notification show: unknown_channel: there is no channel nobody; the config has bus, "
      "hook, lines\n");
  CHECK(run.sql("select count(*) from notifications where channel = 'nobody'") == "0");
  CHECK(of_channel(run, "hook")["dead_by"] == json{{"refused", 1}, {"attempts_max", 1}});
  CHECK(run.cli({"notification", "show", "hook"}).output.find("given up: test-") !=
        std::string::npos);
  wait_until("dead letters", 60s, [&] { return run.sql("select count(*) from outbox") == "0"; });
  std::vector<std::string> reasons;
  for (const auto& letter : run.read("dead-letter")) reasons.push_back(letter["reason"]);
  CHECK(reasons == std::vector<std::string>{"refused", "attempts_max"});
  CHECK(log_of(run).find("given_up") != std::string::npos);
}

TEST_CASE("one too many, one too old, one without a channel: each is given up by name") {
  receiver to;
  to.answer(std::vector<int>(10'000, 500));
  trading_run run(1, limits, "",
                  to.channels() + R"("halts": ["hook"], "queue_max": 1, "age_max_s": 4})");
  run.start();
  int n = 0;
  wait_until("one too many", 60s, [&] {
    run.ask({"risk", "halt", "p" + std::to_string(++n)});
    return of_channel(run, "hook")["dead_by"].contains("queue_full");
  });
  wait_until("the others' end", 60s, [&] { return of_channel(run, "hook")["waiting"] == 0; });
  CHECK(run.ask({"notification", "test", "hook"})["error"] == "age_max");

  // The command's config has a channel that the node's has not.
  for (const auto* file : {"cluster.json", "node-1.json"}) {
    auto config = json::parse(std::ifstream(run.path(file)));
    if (config.contains("cluster"))
      config["cluster"] = "other-cluster.json";
    else
      config["notifications"]["channels"]["ghost"] = {{"type", "log"}};
    write_file(run.path(std::string("other-") + file), config.dump());
  }
  const auto ghost = run_troupe(
      {"notification", "test", "ghost", "--json", "--config", run.path("other-node-1.json")});
  CHECK(ghost.exit_code == 1);
  CHECK(json::parse(ghost.output)["error"] == "unknown_channel");
  wait_until("the dead letters", 60s,
             [&] { return run.sql("select count(*) from outbox") == "0"; });
  std::set<std::string> reasons;
  for (const auto& letter : run.read("dead-letter")) reasons.insert(letter["reason"]);
  CHECK(reasons == std::set<std::string>{"queue_full", "age_max", "unknown_channel"});
}

TEST_CASE("fills, denials and phases of a session are told once each") {
  receiver to;
  auto small = limits;
  small["default"]["symbols"]["*"]["position_max"] = "10";
  trading_run run(1, small, R"("paper": {"taker_fee_bps": "1"})",
                  to.channels() + R"("fills": ["bus", "hook"], "risk_denials": ["bus"],
                                    "session_phases": ["bus"]})");
  run.start();
  write_file(run.path("SPY.csv"), ticks_csv("SPY", 400, 7));
  for (const auto* name : {"s1", "s2"}) {
    const auto made = run.ask({"session", "create",     "--name",    name,        "--portfolio",
                               "p1",      "--strategy", "sma_cross", "--symbols", "SPY",
                               "--param", "fast=3",     "--param",   "slow=8",    "--period",
                               "1s",      "--from",     "beginning", "--size",    "10"});
    REQUIRE_MESSAGE(made["phase"] == "created", made.dump());
    REQUIRE(run.ask({"session", "start", name})["phase"] == "running");
  }
  const auto fed =
      run.cli({"feed", "--speed", "max", "--state", run.path("feed"), run.path("SPY.csv")});
  REQUIRE_MESSAGE(fed.exit_code == 0, fed.output);
  wait_until("fills and denials", 120s, [&] {
    return run.sql("select count(*) > 2 from fills") == "t" &&
           run.sql("select count(*) > 2 from risk_verdicts where verdict = 'refused'") == "t";
  });
  for (const auto* name : {"s1", "s2"})
    REQUIRE(run.ask({"session", "stop", name})["phase"] == "stopped");
  wait_until("everything to be told", 120s, [&] {
    return run.sql("select count(*) from outbox") == "0" &&
           of_channel(run, "hook")["waiting"] == 0 &&
           with_rule(run.read("notifications"), "fills").size() ==
               std::stoul(run.sql("select count(*) from fills"));
  });
  const auto told = run.read("notifications");
  CHECK(std::to_string(with_rule(told, "risk_denials").size()) ==
        run.sql("select count(*) from risk_verdicts where verdict = 'refused'"));
  std::vector<std::string> phases;
  for (const auto& one : with_rule(told, "session_phases"))
    if (one["facts"]["session"] == "s1") phases.push_back(one["facts"]["event"]);
  CHECK(phases == std::vector<std::string>{"created", "started", "stopped"});
  std::set<std::string> ids;
  for (const auto& one : told) CHECK(ids.insert(one["id"]).second);
  CHECK(std::to_string(to.taken("fill-").size()) == run.sql("select count(*) from fills"));
}

TEST_CASE("what a session fails on is told, and so is an order that its venue rejects") {
  receiver to;
  trading_run run(1, limits, R"("venue": "orders")",
                  to.channels() + R"("session_failures": ["hook", "bus"]})", {BREAKABLE_NODE});
  run.start();
  write_file(run.path("SPY.csv"), ticks_csv("SPY", 400, 7));
  const auto made = run.ask({"session", "create", "--name", "s1", "--portfolio", "p1", "--strategy",
                             "buy_and_hold", "--symbols", "SPY", "--period", "1s", "--from",
                             "beginning", "--size", "10"});
  REQUIRE_MESSAGE(made["phase"] == "created", made.dump());
  REQUIRE(run.ask({"session", "start", "s1"})["phase"] == "running");
  write_file(run.path("broken"), "session events\n");
  const auto fed =
      run.cli({"feed", "--speed", "max", "--state", run.path("feed"), run.path("SPY.csv")});
  REQUIRE_MESSAGE(fed.exit_code == 0, fed.output);
  wait_until("what is quarantined", 60s,
             [&] { return run.sql("select count(*) > 0 from quarantine") == "t"; });
  std::filesystem::remove(run.path("broken"));
  wait_until("an order", 60s, [&] { return run.sql("select count(*) from orders") == "1"; });
  const auto order = run.sql("select id from orders");
  run.send("fills", {{"p1", json{{"what", "rejected"},
                                 {"order", order},
                                 {"reason", "market closed"},
                                 {"time", 1'700'000'000'000'000}}
                                .dump()}});
  wait_until("the news", 60s, [&] { return !to.taken("rejected-").empty(); });
  wait_until("everything to be told", 60s, [&] {
    return run.sql("select count(*) from outbox") == "0" && of_channel(run, "hook")["waiting"] == 0;
  });
  const auto rejected = to.taken("rejected-");
  REQUIRE(rejected.size() == 1);
  CHECK(rejected[0].header("x-troupe-id") == "rejected-" + order);
  CHECK(json::parse(rejected[0].body)["facts"] ==
        json{{"session", "s1"}, {"order", order}, {"reason", "market closed"}});
  const auto held = run.rows("select key, source, place, reason from quarantine order by place");
  const auto failed = to.taken("quarantined-");
  REQUIRE(failed.size() == held.size());
  for (std::size_t i = 0; i < held.size(); ++i) {
    const auto facts = json::parse(failed[i].body)["facts"];
    CHECK(facts == json{{"session", "s1"},
                        {"source", held[i]["source"]},
                        {"place", held[i]["place"]},
                        {"reason", held[i]["reason"]}});
  }
  CHECK(with_rule(run.read("notifications"), "session_failures").size() == held.size() + 1);
}

TEST_CASE("a node's death is told, once, by whoever is left") {
  receiver to;
  trading_run run(3, limits, "", to.channels() + R"("node_deaths": ["hook", "bus"]})");
  run.start();
  wait_until("three nodes", 60s, [&] {
    return run.sql("select count(*) from node where alive_until > now()") == "3" &&
           run.sql("select count(distinct owner) from shard") == "3";
  });
  const auto life = run.sql("select incarnation from node where id = 'node-2'");
  run.node(2).kill();
  wait_until("the news", 60s, [&] { return !to.taken("node-death-").empty(); });
  wait_until("the channels' rest", 60s, [&] {
    const auto bus = with_rule(run.read("notifications"), "node_deaths");
    return bus.size() == 1 && of_channel(run, "hook")["delivered"] == 1;
  });
  const auto told = to.taken();
  REQUIRE(told.size() == 1);
  CHECK(told[0].header("x-troupe-id") == "node-death-" + life);
  CHECK(json::parse(told[0].body)["text"] == "node node-2 was declared dead");
}

TEST_CASE("the deaths of two of three nodes at once are told by the third") {
  receiver to;
  trading_run run(3, limits, "", to.channels() + R"("node_deaths": ["hook"]})");
  run.start();
  wait_until("three nodes", 60s, [&] {
    return run.sql("select count(*) from node where alive_until > now()") == "3" &&
           run.sql("select count(distinct owner) from shard") == "3";
  });
  run.node(1).kill();
  run.node(2).kill();
  wait_until("both to be told", 60s, [&] { return to.taken("node-death-").size() == 2; });
  std::set<std::string> texts;
  for (const auto& one : to.taken()) texts.insert(json::parse(one.body)["text"]);
  CHECK(texts ==
        std::set<std::string>{"node node-1 was declared dead", "node node-2 was declared dead"});
}
