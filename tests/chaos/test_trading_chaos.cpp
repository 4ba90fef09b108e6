// Sessions on paper at three nodes that are killed and stopped at random moments, while the
// sessions are commanded through whatever node is there.
//
// TROUPE_TEST_TICKS names a folder of recorded trades and quotes (SYMBOL-*.csv, gzip or plain) to
// trade on instead of made ones, with more faults. TROUPE_CHAOS_SEED makes moments, victims and
// commands other than usual.
#include <doctest/doctest.h>
#include <signal.h>

#include <atomic>
#include <filesystem>
#include <set>
#include <thread>

#include "tests/chaos/cluster_watch.hpp"
#include "tests/chaos/session_commander.hpp"
#include "tests/chaos/trading_history.hpp"

using namespace troupe::test;
using nlohmann::json;
using namespace std::chrono_literals;

namespace {

using words = std::vector<std::string>;

constexpr auto ticks_variable = "TROUPE_TEST_TICKS";
constexpr int nodes = 3;
constexpr std::int64_t one = 100'000'000;

std::uint64_t seed_of(std::uint64_t usual) {
  const char* text = std::getenv("TROUPE_CHAOS_SEED");
  return usual + (text == nullptr ? 0 : std::stoull(text) * 1000);
}

/// What is traded: files for `troupe feed`, their symbols, and how fast they go by.
struct tape {
  words files, symbols;
  std::string speed;
  int faults;
};

tape recorded(const std::string& folder) {
  tape all{{}, {}, "300", 14};
  std::set<std::string> symbols;
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    const auto name = file.path().filename().string();
    all.files.push_back(file.path().string());
    symbols.insert(name.substr(0, name.find('-')));
  }
  REQUIRE_MESSAGE(symbols.size() >= 2, folder, " has ticks of two symbols");
  std::ranges::sort(all.files);
  all.symbols.assign(symbols.begin(), symbols.end());
  return all;
}

tape made(const trading_run& run, unsigned seed) {
  constexpr int ticks = 40'000;
  write_file(run.path("AAA.csv"), ticks_csv("AAA", ticks, seed));
  write_file(run.path("BBB.csv"), ticks_csv("BBB", ticks, seed + 1));
  write_file(run.path("CCC.csv"), quotes_csv("CCC", ticks, seed + 2));
  return {{run.path("AAA.csv"), run.path("BBB.csv"), run.path("CCC.csv")},
          {"AAA", "BBB", "CCC"},
          "100",
          6};
}

tape tape_of(const trading_run& run, std::uint64_t seed) {
  const char* folder = std::getenv(ticks_variable);
  return folder == nullptr ? made(run, static_cast<unsigned>(seed)) : recorded(folder);
}

const json limits{
    {"default",
     {{"fee_reserve_bps", "5"},
      {"symbols", {{"*", {{"price_step", "0.01"}, {"quantity_step", "1"}}}}}}},
    {"portfolios",
     {{"cash", json::object()},
      {"grid",
       {{"open_orders_max", 5},
        {"symbols", {{"*", {{"position_max", "50"}, {"short_max", "40"}}}}}}},
      {"gross", {{"gross_exposure_max", "15000"}, {"symbols", {{"*", {{"short_max", "500"}}}}}}},
      {"rate",
       {{"orders_max", 5},
        {"orders_window_ms", 20'000},
        {"symbols", {{"*", {{"short_max", "1000"}}}}}}}}}};
constexpr auto paper =
    R"("paper": {"maker_fee_bps": "0.5", "taker_fee_bps": "2", "slippage_bps": "1"}, "cash": "1000000", "portfolio_cash": {"cash": "20000"})";

std::map<std::string, portfolio_limits> committed_limits() {
  portfolio_limits usual{1'000'000 * one, {}, {}, {}, {}, {}, 0, false};
  auto cash = usual, grid = usual, gross = usual, rate = usual;
  cash.cash = 20'000 * one;
  cash.short_max = 0;
  cash.cash_required = true;
  grid.open_orders_max = 5;
  grid.position_max = 50 * one;
  grid.short_max = 40 * one;
  gross.gross_exposure_max = 15'000 * one;
  gross.short_max = 500 * one;
  rate.orders_max = 5;
  rate.orders_window_us = 20'000'000;
  rate.short_max = 1000 * one;
  return {{"cash", cash}, {"grid", grid}, {"gross", gross}, {"rate", rate}};
}

words create(const std::string& strategy, const std::string& symbols, const words& parameters,
             const std::string& by, const std::string& size) {
  words all{"--strategy", strategy,    "--symbols", symbols, "--period", "1s",
            "--from",     "beginning", "--size-by", by,      "--size",   size};
  for (const auto& p : parameters) all.insert(all.end(), {"--param", p});
  return all;
}

std::vector<session_commander::plan> plans(const words& symbols) {
  const auto symbol = [&](std::size_t i) { return symbols[i % symbols.size()]; };
  const auto two = symbol(0) + ',' + symbol(1);
  return {{"cross", "cash", create("sma_cross", two, {"fast=3", "slow=8"}, "notional", "8000")},
          {"trend", "cash", create("ema_cross", two, {"fast=4", "slow=9"}, "notional", "9000")},
          {"maker", "grid",
           create("grid_maker", symbol(2), {"levels=3", "spacing_bps=4", "inventory_max=100"},
                  "quantity", "10")},
          {"maker2", "grid",
           create("grid_maker", symbol(2), {"levels=2", "spacing_bps=6", "inventory_max=100"},
                  "quantity", "10")},
          {"bands", "gross",
           create("bollinger_breakout", two, {"period=8", "width=1"}, "notional", "7000")},
          {"gap", "gross", create("macd", symbol(2) + ',' + symbol(0), {}, "notional", "7000")},
          {"quick", "rate",
           create("grid_maker", symbol(1), {"levels=2", "spacing_bps=5", "inventory_max=400"},
                  "quantity", "10")}};
}

class trading_cluster final : public cluster_watch {
 public:
  explicit trading_cluster(std::uint64_t seed)
      : random(seed), run(nodes, limits, paper), history(run), tape_(tape_of(run, seed)) {
    const auto all = plans(tape_.symbols);
    for (std::size_t i = 0; i < 2; ++i) {
      std::vector<session_commander::plan> mine;
      for (auto n = i; n < all.size(); n += 2) mine.push_back(all[n]);
      commanders_.emplace_back(run, std::move(mine), seed * 2 + i);
    }
  }
  ~trading_cluster() override { join(); }

  int faults() const { return tape_.faults; }
  void begin() {
    run.start();
    words command{troupe_binary(), "feed",           "--speed",  tape_.speed,
                  "--state",       run.path("feed"), "--config", run.folder().node_config()};
    command.insert(command.end(), tape_.files.begin(), tape_.files.end());
    feed_ = std::make_unique<node_process>(command);
    feed_->start();
    for (auto& commander : commanders_)
      threads_.emplace_back([this, &commander] {
        while (!done_) {
          commander.step();
          let_trade();
        }
      });
  }

  /// Until so many more requests have been judged.
  void trade(std::int64_t more) const {
    const auto goal = verdicts() + more;
    wait_until("verdicts", 120s, [&] { return verdicts() >= goal; });
  }

  /// Every limit has refused something: otherwise nothing would be shown of it. Recorded ticks may
  /// not come near some of them.
  void reach_limits() const {
    if (std::getenv(ticks_variable) != nullptr) return;
    wait_until("refusals by every limit", 180s, [&] {
      return sql("select count(distinct code) from risk_verdict where code in ('cash', "
                 "'position_limit', 'open_orders', 'gross_exposure', 'order_rate')") == "5";
    });
  }

  /// The commands end first, then the sessions, then their orders.
  void end() {
    join();
    run.revive();
    for (auto& commander : commanders_) check_phases(commander);
    for (auto& commander : commanders_) commander.stop_all();
    wait_until("the end of all orders", 180s, [&] {
      return sql("select count(*) from orders where status in ('pending', 'working', "
                 "'partially_filled')") == "0" &&
             sql("select count(*) from outbox") == "0";
    });
    for (auto& commander : commanders_) {
      check_phases(commander);
      for (const auto& wrong : commander.wrong()) CHECK_MESSAGE(false, wrong);
    }
  }

  void check_phases(const session_commander& commander) const {
    for (const auto& [session, phase] : commander.phases()) {
      CAPTURE(session);
      CHECK(sql("select phase from sessions where session = '" + session + "'") == phase);
    }
  }

  /// Each command is told once, as it was answered.
  void check_events() const {
    std::map<std::string, words> events;
    for (const auto& e : run.read("session.events"))
      events[e.value("id", "")].push_back(e["event"]);
    std::int64_t given = 0, repeated = 0;
    for (const auto& commander : commanders_) {
      given += commander.given();
      repeated += commander.repeated();
      for (const auto& [id, event] : commander.told()) {
        CAPTURE(id);
        CHECK(events[id] == words{event});
      }
    }
    MESSAGE(given, " commands, ", repeated, " of them given again");
    CHECK(given > 20);
    CHECK(repeated > 5);
  }

  /// What sessions know against what the tables tell.
  void check_sessions() const {
    CHECK(sql("select count(*) from sessions s where requests <> (select count(*) from "
              "risk_verdicts v where v.session = s.session) or requests <> (select coalesce("
              "max(request), 0) from risk_verdicts v where v.session = s.session)") == "0");
    CHECK(sql("select count(*) from sessions where open_orders <> 0") == "0");
    CHECK(sql("select count(*) from entity e cross join lateral json_array_elements(e.state -> "
              "'session' -> 'symbols') i where e.kind = 'session' and (i ->> 'position')::numeric "
              "<> (select coalesce(sum(case side when 'buy' then quantity else -quantity end), 0) "
              "from fills f where f.session = e.key and f.symbol = i -> 'instrument' ->> "
              "'symbol')") == "0");
    CHECK(sql("select count(*) from books where cash_difference <> 0 or position_difference <> "
              "0") == "0");
  }

  void check_history() const {
    const auto found = history.replay(committed_limits());
    for (const auto& wrong : found.wrong) CHECK_MESSAGE(false, wrong);
    std::string refusals;
    for (const auto& [code, count] : found.refusals)
      refusals += ' ' + code + ' ' + std::to_string(count);
    MESSAGE(found.commits, " commits, ", found.verdicts, " verdicts, ", found.approved,
            " approved, ", found.orders, " orders, ", found.fills, " fills; refused:", refusals);
    CHECK(found.approved == found.orders);
    CHECK(found.fills > 20);
    CHECK(found.refusals.size() >= 3);
  }

  std::mt19937_64 random;
  trading_run run;
  trading_history history;

 private:
  const cluster_folder& folder() const override { return run.folder(); }
  int node_count() const override { return nodes; }
  std::int64_t verdicts() const { return std::stoll(sql("select count(*) from risk_verdict")); }
  /// Between two commands: some orders, where there are any to come.
  void let_trade() const {
    const auto until = std::chrono::steady_clock::now() + 200ms;
    const auto goal = verdicts() + 10;
    wait_until("a moment", 60s, [&] {
      return done_ || std::chrono::steady_clock::now() > until || verdicts() >= goal;
    });
  }
  void join() {
    done_ = true;
    for (auto& thread : threads_) thread.join();
    threads_.clear();
  }

  const tape tape_;
  std::deque<session_commander> commanders_;
  std::unique_ptr<node_process> feed_;
  std::atomic<bool> done_ = false;
  std::vector<std::thread> threads_;
};

void kill_one(trading_cluster& c, int victim) {
  c.run.node(victim).kill();
  if (c.random() % 2 == 0) c.wait_for_heirs(victim);
  c.run.node(victim).start();
}

void kill_two(trading_cluster& c) {
  const int spared = 1 + static_cast<int>(c.random() % nodes);
  for (int n = 1; n <= nodes; ++n)
    if (n != spared) c.run.node(n).kill();
  for (int n = 1; n <= nodes; ++n)
    if (n != spared) c.wait_for_heirs(n);
  c.run.revive();
}

/// Until others have its shards, or beyond the end of its lease; then it goes on.
void stop_one(trading_cluster& c, int victim) {
  const cluster_watch::death_watch death(c, victim);
  c.run.node(victim).signal(SIGSTOP);
  death.wait();
  c.wait_for_heirs(victim);
  if (c.random() % 2 == 0)
    wait_until("the end of its lease", 60s,
               [&] { return c.row_of(victim, "alive_until < now()") == "t"; });
  c.run.node(victim).signal(SIGCONT);
  wait_until("its return", 60s, [&] { return c.row_of(victim, "state") == "live"; });
}

}  // namespace

TEST_CASE(
    "sessions trade on through kills and stops: one verdict, one life, limits at any commit") {
  trading_cluster c(seed_of(20131008));
  c.begin();
  c.trade(20);
  int kills = 0, stops = 0;
  for (int fault = 0; fault < c.faults(); ++fault) {
    const int any = 1 + static_cast<int>(c.random() % nodes);
    switch (fault % 4) {
      case 0:
        kill_one(c, c.leader());
        break;
      case 1:
        kill_two(c);
        break;
      case 2:
        stop_one(c, c.random() % 2 == 0 ? c.leader() : any);
        break;
      default:
        kill_one(c, any);
    }
    kills += fault % 4 == 1 ? 2 : fault % 4 == 2 ? 0 : 1;
    stops += fault % 4 == 2 ? 1 : 0;
    c.trade(10 + static_cast<std::int64_t>(c.random() % 30));
  }
  c.reach_limits();
  c.end();
  MESSAGE(kills, " kills, ", stops, " stops");
  c.check_events();
  c.check_sessions();
  c.check_history();
}
