#include <doctest/doctest.h>

#include "actors/trading/sweep_order.hpp"
#include "app/commands/entity_command.hpp"
#include "runtime/base/clock.hpp"
#include "runtime/base/partition.hpp"
#include "tests/integration/trading_run.hpp"

using namespace troupe;
using namespace troupe::test;
using nlohmann::json;
using namespace std::chrono_literals;

namespace {

const json limits{{"default", {{"cash_required", false}, {"symbols", {{"*", json::object()}}}}}};

/// More digits than a double has.
const std::string fortune = "92233720368.54775807", price = "90071992.54740993",
                  little = "0.00000001", size = "12345678.90123456";

/// An order by hand that waits at an external venue.
json order(int number, const std::string& amount, const std::string& limit) {
  return {{"session", "by-hand"}, {"number", number},
          {"symbol", "SPY"},      {"side", "buy"},
          {"type", "limit"},      {"amount", amount},
          {"limit", limit},       {"decided", {{"time", to_micros(wall_now())}, {"last", limit}}}};
}

json fill(const std::string& of, const std::string& quantity, const std::string& at,
          const std::string& fee) {
  return {{"what", "filled"},
          {"order", of},
          {"time", 1'700'000'000'000'000},
          {"trade",
           {{"id", "x-1"},
            {"order", of},
            {"symbol", "SPY"},
            {"side", "buy"},
            {"maker", true},
            {"quantity", quantity},
            {"price", at},
            {"fee", fee},
            {"time", 1'700'000'000'000'000}}}};
}

/// Every one of these words stands in what is printed.
void check_printed(const run_result& printed, const std::vector<std::string>& words) {
  CHECK(printed.exit_code == 0);
  for (const auto& word : words)
    CHECK_MESSAGE(printed.output.find(word) != std::string::npos, word << " in " << printed.output);
}

/// The answer is a refusal of this name that tells all of these words.
void check_refused(const json& answer, const std::string& name,
                   const std::vector<std::string>& words) {
  CHECK_MESSAGE(answer.value("error", "") == name, answer.dump());
  for (const auto& word : words)
    CHECK_MESSAGE(answer.value("detail", "").find(word) != std::string::npos,
                  word << " in " << answer.dump());
}

}  // namespace

TEST_CASE("money, prices and quantities are printed to their last digit, in tables and as JSON") {
  trading_run run(1, limits);
  run.start();
  run.send("market", {{"SPY", json{{"type", "trade"},
                                   {"symbol", "SPY"},
                                   {"time", 1'700'000'000'000'000},
                                   {"price", price},
                                   {"size", size}}
                                  .dump()}});
  check_printed(run.cli({"portfolio", "open", "rich", "--cash", fortune}), {fortune});
  REQUIRE(run.ask({"portfolio", "open", "p1", "--cash", fortune, "--venue", "orders"})["cash"] ==
          fortune);
  REQUIRE(!run.ask({"order", "submit", "--portfolio", "p1", order(1, little, price).dump()})
               .contains("error"));
  run.send("fills", {{"p1", fill("p1-1", little, price, little).dump()}});
  wait_until("the fill and the trade", 60s, [&] {
    return run.sql("select count(*) from fills") == "1" &&
           run.sql("select count(*) from symbols where last_price is not null") == "1";
  });
  // 0.00000001 of 90071992.54740993 costs 0.90071993, rounded against the portfolio.
  const std::string cash = "92233720367.64703813";
  const std::vector<std::vector<std::string>> asked{{"portfolio", "list"},
                                                    {"portfolio", "show", "p1"},
                                                    {"order", "list"},
                                                    {"session", "trades", "by-hand"},
                                                    {"symbol", "list"}};
  const std::vector<std::vector<std::string>> told{{fortune, cash, little},
                                                   {cash, little, price},
                                                   {little, price},
                                                   {little, price},
                                                   {price, size}};
  for (std::size_t i = 0; i < asked.size(); ++i) {
    check_printed(run.cli(asked[i]), told[i]);
    auto as_json = told[i];
    for (auto& word : as_json) word = '"' + word + '"';
    auto words = asked[i];
    words.emplace_back("--json");
    check_printed(run.cli(words), as_json);
  }
  const auto list = run.ask({"portfolio", "list"});
  CHECK(list[0]["cash"] == cash);
  CHECK(list[0]["orders"] == 1);  // Counts stay numbers.
}

TEST_CASE("refusals of the cluster have one form, as JSON and as text") {
  trading_run run(1, limits);
  run.start();
  check_refused(run.ask({"symbol", "show", "SPY"}), "unknown_entity", {"symbol/SPY"});
  check_refused(run.ask({"shard", "show", "99"}), "unknown_shard", {"shards are 0 to"});
  check_refused(run.ask({"shard", "move", "1", "--to", "x"}), "unknown_node", {"x"});
  check_refused(run.ask({"node", "drain", "node-1"}), "last_node", {"node-1"});
  check_refused(run.ask({"session", "start", "s"}), "unknown_session", {"s"});
  check_refused(run.ask({"portfolio", "show", "p"}), "unknown_portfolio", {"portfolio list"});
  check_refused(run.ask({"order", "cancel", "p-1"}), "unknown_order", {"order list --portfolio p"});
  check_refused(run.ask({"order", "list", "--portfolio", "p"}), "unknown_portfolio", {"p is not"});
  check_refused(run.ask({"order", "list", "--session", "s"}), "unknown_session", {"session list"});
  check_refused(run.ask({"session", "trades", "s"}), "unknown_session", {"session list"});
  check_refused(run.ask({"session", "pause", "s", "--id", "one"}), "unknown_session", {"s"});
  check_refused(run.ask({"session", "stop", "s", "--id", "one"}), "id_reused",
                {"session/s pause before", "session/s stop"});
  REQUIRE(run.ask({"risk", "resume", "p", "--id", "two"})["state"] == "active");
  check_refused(run.ask({"risk", "halt", "p", "--id", "two"}), "id_reused", {"another content"});
  check_refused(run.ask({"quarantine", "purge", "7"}), "unknown_entry", {"quarantine list"});
  check_refused(run.ask({"notification", "test", "none"}), "unknown_channel",
                {"notifications.channels"});
  check_refused(run.ask({"order", "submit", "--portfolio", "p", "[]"}), "wrong_arguments",
                {"JSON object"});
  check_refused(run.ask({"order", "submit", "--portfolio", "p", "{}"}), "malformed",
                {"session is missing", "amount is missing"});
  REQUIRE(run.ask({"risk", "halt", "p"})["state"] == "halted");
  check_refused(run.ask({"order", "submit", "--portfolio", "p", order(1, "1", "1").dump()}),
                "halted", {"troupe risk resume p"});
  const auto text = run.cli({"session", "start", "s"});
  CHECK(text.exit_code == 1);
  CHECK(text.output.starts_with("troupe session start: unknown_session: "));
}

TEST_CASE("what is asked of a shard that was given up is refused with its reason and a remedy") {
  trading_run run(2, limits);
  run.start();
  wait_until("shards on both nodes, and none on its way", 60s, [&] {
    return run.sql("select count(distinct owner) from shard") == "2" &&
           run.ask({"status"})["shards"]["moving"] == 0;
  });
  const auto shard = std::to_string(partition_of("lost", run.folder().shards()));
  run.sql("insert into entity(shard, kind, key, schema, state) values (" + shard +
          ", 'portfolio', 'lost', 99, '{}')");
  const auto owner = run.sql("select owner from shard where id = " + shard);
  run.ask({"entity", "show", "portfolio/lost"});
  const auto problems = [&] { return run.ask({"health"}, owner.back() - '0').dump(); };
  wait_until("the shard to be given up", 60s,
             [&] { return problems().find("given up") != std::string::npos; });
  const std::vector<std::string> told{"shard " + shard + " on " + owner + " was given up", "99",
                                      "then restart " + owner};
  for (const int node : {1, 2}) {
    check_refused(run.ask({"entity", "show", "portfolio/lost"}, node), "shard_given_up", told);
    const auto begin = std::chrono::steady_clock::now();
    check_refused(run.ask({"risk", "halt", "lost"}, node), "shard_given_up", told);
    CHECK(std::chrono::steady_clock::now() - begin < 10s);  // Not tried again in vain.
  }
  const auto health = run.ask({"health"}, owner.back() - '0');
  check_refused(health, "unhealthy", {"shard " + shard});
}

TEST_CASE("what only other versions' nodes say is refused by name, whoever says it") {
  trading_run run(1, limits);
  run.start();
  const auto all = app::read_settings(run.folder().node_config());
  const auto tell = [&](const std::string& to, const std::string& type, const json& body) {
    try {
      return app::give_command(all, {parse_entity_id(to), type, body});
    } catch (const app::failure& e) {
      return e.as_json();
    }
  };
  REQUIRE(run.ask({"portfolio", "open", "p", "--cash", "1000"})["venue"] == "paper");
  for (const auto* type : {"place_order", "cancel_order", "cancel_orders"})
    CHECK_MESSAGE(tell("portfolio/p", type, json::array())["error"] == "malformed", type);
  const json placed{{"request", order(1, "1", "1")},
                    {"approved", {{"number", 1}, {"quantity", "1"}}}};
  CHECK(!tell("portfolio/p", "place_order", placed).contains("error"));
  CHECK(tell("portfolio/p", "place_order", placed)["error"] == "not_a_new_approval");
  CHECK(run.ask({"order", "list"}).size() == 1);
  CHECK(tell("risk/p", "set_state", {{"state", "asleep"}})["error"] == "malformed");
  CHECK(tell("paper_venue/SPY", "change_order", 5)["error"] == "malformed");

  REQUIRE(run.ask({"session", "create", "--name", "s", "--portfolio", "p", "--strategy",
                   "buy_and_hold", "--symbols", "SPY"})["phase"] == "created");
  check_refused(tell("session/s", "order_approved", {{"number", "one"}}), "malformed_message",
                {"number"});
  CHECK(run.ask({"session", "list"})[0]["phase"] == "created");

  trading::sweep_order sweep;
  auto& session = sweep.settings.session;
  session.name = session.portfolio = "x";
  session.strategy = "smart";
  session.instruments.resize(1);
  session.instruments[0].symbol = "SPY";
  session.parameters = {{"slow", 9.0}};
  sweep.data = std::string(64, '0');
  sweep.axes = {{"fast", {1.0, 2.0}}};
  const auto submit = [&] { return tell("backtest_sweep/a", "submit", json_of(sweep)); };
  check_refused(submit(), "refused", {"no strategy is called smart"});
  session.strategy = "sma_cross";
  CHECK(submit()["runs"] == 2);
  sweep.settings.cash = fixed::from_raw(5);
  check_refused(submit(), "other_sweep", {"other settings"});
  CHECK(tell("backtest_sweep/b", "submit", {{"data", 5}})["error"] == "malformed");
}
