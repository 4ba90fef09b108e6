// What comes in and cannot be used: it is put aside with its reason, the node lives, and what was
// quarantined comes back once the cause is mended.
#include <doctest/doctest.h>

#include <filesystem>
#include <map>

#include "tests/integration/trading_run.hpp"

using namespace troupe::test;
using nlohmann::json;
using namespace std::chrono_literals;

namespace {

using words = std::vector<std::string>;

const json limits{{"default", {{"symbols", {{"SPY", json::object()}}}}}};
constexpr std::int64_t noon = 1'700'049'600'000'000;

std::string record(const std::string& name, const std::string& type, const std::string& id,
                   const json& body = json::object()) {
  return json{{"to", "session/" + name}, {"type", type}, {"id", id}, {"body", body}}.dump();
}

std::string filled(const std::string& order, const std::string& id) {
  return json{{"what", "filled"},
              {"order", order},
              {"time", noon},
              {"trade",
               {{"id", id},
                {"order", order},
                {"symbol", "SPY"},
                {"side", "buy"},
                {"quantity", "10"},
                {"price", "99.5"},
                {"time", noon}}}}
      .dump();
}

std::string trade(int price) {
  return json{{"type", "trade"},
              {"symbol", "SPY"},
              {"time", noon + price * 1'000'000},
              {"price", std::to_string(price)},
              {"size", "1"}}
      .dump();
}

/// A session s1 that is created, a portfolio p1 with an order out.
class desk {
 public:
  explicit desk(const std::string& groups = "", const words& program = {})
      : run(1, limits, "", groups, program) {
    run.start();
    run.ask({"session", "create", "--name", "s1", "--portfolio", "p-s1", "--strategy", "sma_cross",
             "--symbols", "SPY", "--param", "fast=3", "--param", "slow=8"});
    run.ask({"portfolio", "open", "p1", "--cash", "10000", "--venue", "orders"});
    const json order{{"session", "by-hand"}, {"number", 1},
                     {"symbol", "SPY"},      {"side", "buy"},
                     {"type", "limit"},      {"amount", "10"},
                     {"limit", "100"},       {"decided", {{"time", noon}, {"last", "100"}}}};
    REQUIRE(run.ask({"order", "submit", "--portfolio", "p1", order.dump()})["quantity"] == "10");
  }

  void break_on(const std::string& lines) const { write_file(run.path("broken"), lines); }
  void mend() const { std::filesystem::remove(run.path("broken")); }
  /// `kind reason: detail` of the dead letters, once there are so many.
  words letters(std::size_t count) const {
    words all;
    wait_until("the dead letters", 60s, [&] {
      all.clear();
      for (const auto& letter : run.read("dead-letter"))
        all.push_back(letter.at("source").get<std::string>() + ' ' +
                      letter.at("reason").get<std::string>() + ": " +
                      letter.at("detail").get<std::string>());
      return all.size() >= count;
    });
    std::ranges::sort(all);
    return all;
  }
  /// Waits until so many inputs are held; returns the list.
  json held(std::size_t count) const {
    wait_until("what is quarantined", 60s, [&] {
      return run.sql("select count(*) from quarantine where state = 'held'") ==
             std::to_string(count);
    });
    return run.ask({"quarantine", "list"});
  }
  void wait_for(const std::string& query, const std::string& result) const {
    wait_until(query + " = " + result, 60s, [&] { return run.sql(query) == result; });
  }
  /// So many records of each topic are committed, and what they led to has left.
  void settle(const std::map<std::string, int>& records) const {
    for (const auto& [topic, count] : records)
      wait_for("select sum(next) from position where topic = '" + topic + "'",
               std::to_string(count));
    wait_for("select count(*) from outbox", "0");
  }
  /// An entry as the runtime would have made it.
  void put_aside(const std::string& source, const json& input) const {
    run.sql(
        "insert into quarantine(shard, kind, key, source, place, record_key, input, reason) "
        "values (0, 'risk', 'p1', '" +
        source + "', 7, 'k', convert_to('" + input.dump() + "', 'UTF8'), 'a test')");
  }

  trading_run run;
};

std::string held_id(const json& entry) {
  return std::to_string(entry.at("id").get<std::int64_t>());
}

std::string nest_in(const std::string& before, std::size_t bytes) {
  return before + std::string(bytes - before.size(), '[');
}

}  // namespace

TEST_CASE("a nest of a megabyte on any topic is a dead letter with its reason; the node lives") {
  desk d;
  constexpr std::size_t bytes = 1'040'000;
  const std::string command = R"({"to": "session/s1", "type": "start", )";
  d.run.send("session.commands", {{"s1", nest_in(command + R"("body": )", bytes)},
                                  {"s1", nest_in(command + R"("id": )", bytes)},
                                  {"s1", record("s1", "start", "t-1")}});
  d.run.send("fills", {{"p1", nest_in(R"({"what": "filled", "trade": )", bytes)},
                       {"p1", nest_in(R"({"more": {"a": )", bytes)},
                       {"p1", filled("p1-1", "x-1")}});
  d.run.send("market", {{"SPY", nest_in(R"({"type": "trade", "more": )", bytes)}});
  const std::string deep = " malformed_json: is nested deeper than 32 levels";
  CHECK(d.letters(5) == words{"fills" + deep, "fills" + deep, "market malformed_json: ",
                              "session.commands" + deep, "session.commands" + deep});
  d.wait_for("select phase from sessions", "running");
  d.wait_for("select count(*) from fills", "1");
  CHECK(d.run.node().running());
  const auto by_hand = d.run.cli(
      {"order", "submit", "--portfolio", "p1", R"({"session": )" + std::string(60'000, '[')});
  CHECK(by_hand.exit_code == 2);
  CHECK(
      by_hand.output.starts_with("troupe order submit: wrong_arguments: the request is nested "
                                 "deeper than 32 levels: "));
  CHECK(d.run.sql("select count(*) from quarantine") == "0");
}

TEST_CASE("what is larger than ingress.record_bytes_max is a dead letter, whatever the topic") {
  desk d(R"("ingress": {"record_bytes_max": 2000})");
  const auto padded = [](std::string text) { return text + std::string(2001 - text.size(), ' '); };
  d.run.send("session.commands",
             {{"s1", padded(record("s1", "start", "t-1"))}, {"s1", record("s1", "start", "t-2")}});
  d.run.send("fills", {{"p1", padded(filled("p1-1", "x-1"))}});
  d.run.send("market", {{"SPY", padded(trade(100))}, {"SPY", trade(101)}});
  const std::string large =
      " record_too_large: 2001 bytes, at most 2000 (ingress.record_bytes_max)";
  CHECK(d.letters(3) == words{"fills" + large, "market" + large, "session.commands" + large});
  d.wait_for("select phase from sessions", "running");
  d.wait_for("select trades from symbols", "1");
  CHECK(d.run.sql("select count(*) from fills") == "0");
}

TEST_CASE("what was quarantined comes back by retry once the cause is mended, and has one effect") {
  desk d(R"("entities": {"restarts_per_minute_max": 100})", {BREAKABLE_NODE});
  d.break_on("session start\nportfolio order_reports\nsymbol events\nrisk set_state\n");
  d.run.send("session.commands", {{"s1", record("s1", "start", "t-1")}});
  d.run.send("fills", {{"p1", filled("p1-1", "x-1")}});
  d.run.send("market", {{"SPY", trade(100)}});
  const words halt{"risk", "halt", "p1", "--by", "test", "--reason", "drill", "--id", "h-1"};
  CHECK(d.run.ask(halt)["error"] == "quarantined");
  const auto list = d.held(4);
  std::map<std::string, json> by_source;
  for (const auto& one : list) by_source[one.at("source")] = one;
  REQUIRE(by_source.size() == 4);
  CHECK(by_source["session.commands"]["key"] == "s1");
  CHECK(by_source["session.commands"]["input"] == record("s1", "start", "t-1"));
  CHECK(by_source["fills"]["key"] == "p1");
  CHECK(by_source["fills"]["input"] == filled("p1-1", "x-1"));
  CHECK(by_source["market"]["input"] == trade(100));
  for (const auto& [source, one] : by_source)
    CHECK(one["reason"].get<std::string>().starts_with("a defect: "));

  // Given back too soon, it stays where it is.
  const auto early = d.run.ask({"quarantine", "retry", held_id(by_source["request"])});
  CHECK(early["retried"] == 0);
  REQUIRE(early["refused"].size() == 1);
  CHECK(early["refused"][0]["reason"].get<std::string>().find(": ") != std::string::npos);

  d.mend();
  CHECK(d.run.ask(halt)["error"] == "quarantined");  // Put aside once more, under the same id.
  d.held(5);
  const auto one = held_id(by_source["session.commands"]);
  CHECK(d.run.cli({"quarantine", "retry", one}).output == "1 retried\n");
  d.wait_for("select phase from sessions", "running");
  CHECK(d.run.ask({"quarantine", "retry", "--all"}) ==
        json{{"retried", 4}, {"refused", json::array()}});
  d.wait_for("select count(*) from fills", "1");
  d.wait_for("select trades from symbols", "1");
  d.wait_for("select count(*) from risk_audit where portfolio = 'p1'", "1");

  // Once more, by every way: nothing comes of it.
  CHECK(d.run.ask({"quarantine", "retry", "--all"})["retried"] == 0);
  const auto again = d.run.cli({"quarantine", "retry", one});
  CHECK(again.exit_code == 1);
  CHECK(again.output.find("no held entry has id " + one) != std::string::npos);
  d.run.send("session.commands", {{"s1", record("s1", "start", "t-1")}});
  d.settle({{"session.commands", 3}, {"fills", 2}, {"market", 2}});
  std::size_t started = 0;
  for (const auto& e : d.run.read("session.events")) started += e["event"] == "started";
  CHECK(started == 1);
  CHECK(d.run.sql("select count(*) from fills") == "1");
  CHECK(d.run.sql("select count(*) from risk_audit where portfolio = 'p1'") == "1");
  CHECK(d.run.sql("select count(*) from quarantine where state = 'retried'") == "5");
  CHECK(d.run.ask({"quarantine", "list"}) == json::array());
  CHECK(d.letters(5).size() == 5);  // None of them came back as a dead letter of another reason.
}

TEST_CASE(
    "what a follower or a service left behind is told, or refused by name; the rest goes on") {
  desk d("", {BREAKABLE_NODE});
  const auto state = [](const char* to) {
    return json{{"to", "risk/p1"},
                {"type", "set_state"},
                {"body", {{"state", to}, {"by", "test"}, {"reason", "drill"}}}};
  };
  const auto feed = json{{"to", "session/s1"}, {"type", "event"}, {"body", {{"offset", 7}}}};
  d.put_aside("feed:symbol/SPY", feed);
  d.put_aside("call:http", state("reducing"));
  d.put_aside("other.commands", feed);
  d.put_aside("shard:3", state("halted"));
  d.put_aside("timer", json{{"to", "symbol/SPY"}, {"type", "x"}, {"body", json::object()}});
  d.put_aside("timer", state("active"));
  const auto list = d.held(6);
  const auto id_of = [&](std::size_t nth) { return list[5 - nth].at("id").get<std::int64_t>(); };
  const auto result = d.run.cli({"quarantine", "retry", "--all"});
  CHECK(result.exit_code == 1);
  for (const auto& [nth, name] : {std::pair{0U, "feed_has_passed"}, std::pair{2U, "unknown_source"},
                                  std::pair{4U, "takes_no_messages"}})
    CHECK_MESSAGE(result.output.find("entry " + std::to_string(id_of(nth)) + ": " + name + ": ") !=
                      std::string::npos,
                  name, " in ", result.output);
  CHECK(result.output.find("3 retried, 3 refused\n") != std::string::npos);
  // In the order in which they came.
  d.wait_for("select string_agg(after, ' ' order by number) from risk_audit where portfolio = 'p1'",
             "reducing halted active");
  const auto again = d.run.ask({"quarantine", "retry", "--all"});
  CHECK(again["retried"] == 0);
  CHECK(again["refused"].size() == 3);
  CHECK(d.run.cli({"quarantine", "purge", std::to_string(id_of(0))}).output == "1 purged\n");
  CHECK(d.run.ask({"quarantine", "purge", "--all"}) == json{{"purged", 2}});
  CHECK(d.run.cli({"quarantine", "list"}).output == "nothing is quarantined\n");
  CHECK(d.run.sql("select count(*) from quarantine where state = 'purged'") == "3");

  d.run.sql(
      "insert into quarantine(shard, kind, key, source, place, record_key, input, reason) "
      "select 0, 'risk', 'p1', 'timer', n, '', '{}', 'many' from generate_series(1, 1001) n");
  const auto cut = d.run.cli({"quarantine", "list"});
  CHECK(cut.output.find("there are more: these are the newest 1000") != std::string::npos);
  CHECK(cut.output.find("timer@1 ") == std::string::npos);
  CHECK(cut.output.find("timer@1001 ") != std::string::npos);
}

TEST_CASE("retry and purge want to know what, before they look for anything") {
  for (const auto* command : {"retry", "purge"}) {
    const auto none = run_troupe({"quarantine", command, "--config", "/nowhere.json"});
    CHECK(none.exit_code == 2);
    CHECK(none.output.find("or --all") != std::string::npos);
    CHECK(run_troupe({"quarantine", command, "0", "--config", "/nowhere.json"}).exit_code == 2);
    CHECK(
        run_troupe({"quarantine", command, "1", "--all", "--config", "/nowhere.json"}).exit_code ==
        2);
    CHECK(run_troupe({"quarantine", command, "1", "--config", "/nowhere.json"}).exit_code == 1);
  }
}
