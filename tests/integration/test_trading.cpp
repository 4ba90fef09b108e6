#include <doctest/doctest.h>

#include <algorithm>

#include "runtime/base/clock.hpp"
#include "tests/integration/trading_run.hpp"

using namespace troupe::test;
using nlohmann::json;
using namespace std::chrono_literals;

namespace {

using words = std::vector<std::string>;

const json limits{
    {"default",
     {{"fee_reserve_bps", "5"},
      {"symbols",
       {{"*", {{"price_step", "0.01"}, {"quantity_step", "1"}, {"short_max", "500"}}}}}}},
    {"portfolios", {{"p-grid", {{"open_orders_max", 3}}}}}};
constexpr auto paper =
    R"("paper": {"maker_fee_bps": "0.5", "taker_fee_bps": "2", "slippage_bps": "1"}, "cash": "100000")";

/// One session and the back-test that must come to the same.
struct story {
  std::string session, portfolio, symbol, strategy, period;
  words parameters;
  std::string file;
  json limits;  // As the back-test takes them.
};

words with_parameters(words to, const story& s) {
  for (const auto& one : s.parameters) to.insert(to.end(), {"--param", one});
  return to;
}

std::vector<story> stories() {
  auto grid = limits;
  grid["default"]["open_orders_max"] = 3;
  return {{"s-cross", "p-cross", "SPY", "sma_cross", "1s", {"fast=3", "slow=8"}, "SPY.csv", limits},
          {"s-grid",
           "p-grid",
           "IBM",
           "grid_maker",
           "1m",
           {"levels=2", "spacing_bps=6", "inventory_max=60"},
           "IBM.csv",
           grid}};
}

std::string plain_id(const std::string& id) {
  return id.substr(id.rfind('-') + 1);
}

/// Orders with their verdicts, and fills, in the words of `troupe backtest --json`, without what
/// can differ: offsets and the portfolio's name.
json expected_of(const trading_run& run, const story& s) {
  write_file(run.path(s.session + ".limits.json"), s.limits.dump());
  auto command = with_parameters({"backtest",
                                  "--strategy",
                                  s.strategy,
                                  "--data",
                                  run.path(s.file),
                                  "--period",
                                  s.period,
                                  "--quantity",
                                  "10",
                                  "--cash",
                                  "100000",
                                  "--fee-bps",
                                  "2",
                                  "--maker-fee-bps",
                                  "0.5",
                                  "--slippage-bps",
                                  "1",
                                  "--limits",
                                  run.path(s.session + ".limits.json"),
                                  "--json"},
                                 s);
  const auto result = run_troupe(command);
  if (result.exit_code != 0) throw std::runtime_error(result.output);
  auto report = json::parse(result.output);
  for (auto& o : report["orders"]) {
    if (!o["id"].get<std::string>().empty()) o["id"] = plain_id(o["id"]);
    o.erase("decided_offset");
    o.erase("limit");
  }
  for (auto& f : report["fills"]) {
    for (const auto* name : {"id", "order"}) f[name] = plain_id(f[name]);
    if (!f.contains("fee")) f["fee"] = "0";
    f["maker"] = f.value("maker", false);
  }
  return {{"orders", report["orders"]}, {"fills", report["fills"]}};
}

json got_of(const trading_run& run, const story& s) {
  auto orders = run.rows(
      "select v.request as number, coalesce(o.number::text, '') as id, v.symbol, v.side, v.type, "
      "trim_scale(coalesce(o.quantity, 0))::text as quantity, (extract(epoch from v.decided) * "
      "1000000)::bigint as decided_at, trim_scale(coalesce(o.filled, 0))::text as filled, "
      "trim_scale(coalesce(o.value, 0))::text as value, trim_scale(coalesce(o.fees, 0))::text as "
      "fees, o.status, v.code as denied, coalesce(v.detail, o.reason) as detail from risk_verdicts "
      "v left join orders o on o.portfolio = v.portfolio and o.verdict = v.number where v.session "
      "= '" +
      s.session + "' order by v.request");
  for (auto& o : orders)
    for (const auto* name : {"status", "denied", "detail"})
      if (o[name].is_null()) o.erase(name);
  auto fills = run.rows(
      "select id, \"order\", symbol, side, maker, trim_scale(quantity)::text as quantity, "
      "trim_scale(price)::text as price, trim_scale(fee)::text as fee, (extract(epoch from time) * "
      "1000000)::bigint as time from fills where session = '" +
      s.session + "' order by time, split_part(\"order\", '-', 3)::int8, id");
  for (auto& f : fills)
    for (const auto* name : {"id", "order"}) f[name] = plain_id(f[name]);
  return {{"orders", std::move(orders)}, {"fills", std::move(fills)}};
}

/// In one order: by time, order and number of the fill.
void sort_fills(json& all) {
  std::sort(all.begin(), all.end(), [](const json& a, const json& b) {
    const auto key = [](const json& f) {
      return std::tuple(f["time"].get<std::int64_t>(), std::stoll(f["order"].get<std::string>()),
                        f["id"].get<std::string>());
    };
    return key(a) < key(b);
  });
}

void create_and_start(const trading_run& run, const story& s) {
  const auto created = run.ask(
      with_parameters({"session", "create", "--name", s.session, "--portfolio", s.portfolio,
                       "--strategy", s.strategy, "--symbols", s.symbol, "--period", s.period,
                       "--size", "10", "--from", "beginning", "--id", s.session + "-create"},
                      s));
  REQUIRE_MESSAGE(created.value("phase", "") == "created", created.dump());
  REQUIRE(run.ask({"session", "start", s.session, "--id", s.session + "-start"})["phase"] ==
          "running");
}

void feed(const trading_run& run, const std::string& speed) {
  words command{"feed", "--speed", speed, "--state", run.path("feed")};
  for (const auto& s : stories()) command.push_back(run.path(s.file));
  const auto fed = run.cli(command);
  REQUIRE_MESSAGE(fed.exit_code == 0, fed.output);
}

bool settled(const trading_run& run, const std::vector<json>& expected) {
  const auto all = stories();
  for (std::size_t i = 0; i < all.size(); ++i)
    if (run.sql("select count(*) from fills where session = '" + all[i].session + "'") !=
            std::to_string(expected[i]["fills"].size()) ||
        run.sql("select count(*) from risk_verdicts where session = '" + all[i].session + "'") !=
            std::to_string(expected[i]["orders"].size()))
      return false;
  return run.sql("select count(*) from outbox") == "0";
}

/// What must hold at any committed instant.
void check_books(const trading_run& run) {
  CHECK(run.sql("select count(*) from books where cash_difference <> 0 or position_difference <> "
                "0") == "0");
  CHECK(run.sql("select count(*) from (select session, request from risk_verdicts group by 1, 2 "
                "having count(*) <> 1) x") == "0");
  CHECK(run.sql("select count(*) from risk_verdicts v full join orders o on o.portfolio = "
                "v.portfolio and o.verdict = v.number where (v.verdict = 'approved') is distinct "
                "from (o.number is not null)") == "0");
  CHECK(run.sql("select count(*) from orders o where o.filled <> (select coalesce(sum(quantity), "
                "0) from fills f where f.portfolio = o.portfolio and f.\"order\" = o.id) or "
                "o.filled > o.quantity") == "0");
  CHECK(run.sql("select count(*) from positions where quantity < -500") == "0");
}

/// `session trades` tells the same fills.
void check_trades(const trading_run& run, const std::string& session, const json& fills) {
  const auto in_short = [](const json& all) {
    std::vector<words> list;
    for (const auto& f : all)
      list.push_back({plain_id(f["order"]), f["symbol"], f["side"], f["quantity"], f["price"]});
    std::ranges::sort(list);
    return list;
  };
  const auto told = run.ask({"session", "trades", session, "--limit", "100000"});
  CHECK(in_short(told) == in_short(fills));
  const auto text = run.cli({"session", "trades", session, "--limit", "1"}).output;
  CHECK_MESSAGE(text.starts_with("time  "), text);
  CHECK_MESSAGE(text.find(told[0]["price"].get<std::string>()) != std::string::npos, text);
  CHECK_MESSAGE(text.ends_with("\nthe first 1, by time; --limit shows more\n"), text);
  CHECK(std::ranges::count(text, '\n') == 3);
}

void play(int nodes, const std::string& speed, bool before,
          const std::function<void(trading_run&, int)>& disturb) {
  trading_run run(nodes, limits, paper);
  write_file(run.path("SPY.csv"), ticks_csv("SPY", 1500, 7));
  write_file(run.path("IBM.csv"), quotes_csv("IBM", 1500, 8));
  std::vector<json> expected;
  for (const auto& s : stories()) expected.push_back(expected_of(run, s));
  REQUIRE(expected[0]["fills"].size() > 20);
  REQUIRE(expected[1]["fills"].size() > 20);
  run.start();
  if (before) feed(run, speed);
  for (const auto& s : stories()) create_and_start(run, s);
  if (!before) feed(run, speed);
  int looks = 0;
  wait_until("the same number of verdicts and fills as in the back-tests", 240s, [&] {
    disturb(run, looks++);
    try {
      return settled(run, expected);
    } catch (const std::exception&) {
      return false;
    }
  });
  run.revive();
  check_books(run);
  const auto all = stories();
  for (std::size_t i = 0; i < all.size(); ++i) {
    auto got = got_of(run, all[i]);
    sort_fills(got["fills"]);
    sort_fills(expected[i]["fills"]);
    CHECK(got["orders"].size() == expected[i]["orders"].size());
    for (std::size_t n = 0; n < got["orders"].size(); ++n)
      CHECK(got["orders"][n] == expected[i]["orders"][n]);
    CHECK(got["fills"] == expected[i]["fills"]);
    check_trades(run, all[i].session, expected[i]["fills"]);
    // Its first commands again: one effect, one answer.
    CHECK(run.ask({"session", "start", all[i].session, "--id", all[i].session + "-start"}) ==
          json{{"session", all[i].session}, {"phase", "running"}});
    CHECK(run.ask({"session", "stop", all[i].session})["phase"] == "stopped");
  }
  wait_until("the end of all orders", 60s, [&] {
    return run.sql(
               "select count(*) from orders where status in ('pending', 'working', "
               "'partially_filled')") == "0";
  });
  check_books(run);
  CHECK(run.sql("select count(*) from sessions where phase = 'stopped'") == "2");
}

}  // namespace

TEST_CASE("paper trading on one node does what the back-test does") {
  play(1, "max", true, [](trading_run&, int) {});
}

TEST_CASE("paper trading on three nodes, live, while they are killed in turn, does the same") {
  int victim = 0;
  play(3, "2000", false, [&](trading_run& run, int look) {
    constexpr int looks_between = 60;
    if (look % looks_between != looks_between - 1 || victim >= 4) return;
    run.revive();
    run.node(1 + victim++ % 3).kill();
  });
  CHECK(victim == 4);
}

TEST_CASE("in a silent market the clock ends an order, though its node dies") {
  trading_run run(1, limits, paper);
  run.start();
  CHECK(run.ask({"portfolio", "open", "p1", "--cash", "10000", "--venue", "paper"})["cash"] ==
        "10000");
  const auto now = troupe::to_micros(troupe::wall_now());
  const auto good_till = now + 4'000'000;
  const json request{{"session", "by-hand"},   {"number", 1},
                     {"symbol", "SPY"},        {"side", "buy"},
                     {"type", "limit"},        {"amount", "10"},
                     {"limit", "99"},          {"in_force", "gtd"},
                     {"good_till", good_till}, {"decided", {{"time", now}, {"last", "100"}}}};
  const auto approved = run.ask({"order", "submit", "--portfolio", "p1", request.dump()});
  REQUIRE_MESSAGE(!approved.contains("error"), approved.dump());
  wait_until("the order is at the venue", 30s, [&] {
    return run.sql("select count(*) from orders where status = 'working'") == "1";
  });
  run.node().kill();
  run.revive();
  wait_until("the end of the order", 60s, [&] {
    return run.sql("select count(*) from orders where status = 'expired'") == "1";
  });
  CHECK(run.sql("select (extract(epoch from updated) * 1000000)::bigint from orders") ==
        std::to_string(good_till));
  CHECK(troupe::to_micros(troupe::wall_now()) > good_till);
  CHECK(run.sql("select count(*) from timer where kind = 'paper_venue'") == "0");
}
