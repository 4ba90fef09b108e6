#include <doctest/doctest.h>

#include "actors/trading/backtest.hpp"
#include "actors/trading/messages.hpp"
#include "actors/trading/paper_venue_entity.hpp"
#include "actors/trading/portfolio_entity.hpp"
#include "actors/trading/risk_entity.hpp"
#include "actors/trading/session_entity.hpp"
#include "trading_world.hpp"

using namespace troupe;
using namespace troupe::trading;
using namespace troupe::trading::test;
using nlohmann::json;

namespace {

/// A seeded walk of trades and quotes; other symbols' records lie between its offsets.
std::vector<market::market_event> walk(std::uint32_t seed, std::size_t count) {
  std::mt19937 random(seed);
  std::vector<market::market_event> all;
  std::int64_t price = 10'000, offset = 0, time = 1'700'000'000'000'000;
  for (std::size_t i = 0; i < count; ++i) {
    market::market_event e;
    offset += 1 + static_cast<std::int64_t>(random() % 3);
    time += 1'000 * static_cast<std::int64_t>(random() % 600);
    price = std::max<std::int64_t>(5'000, price + static_cast<std::int64_t>(random() % 31) - 15);
    e.offset = offset;
    e.time = time;
    e.price = fixed::from_raw(price * 1'000'000);
    e.size = fixed::from_raw(static_cast<std::int64_t>(1 + random() % 40) * fixed::scale);
    if (random() % 2 == 0) {
      e.kind = market::event_kind::quote;
      e.flags = market::market_event::has_bid | market::market_event::has_ask;
      e.ask = fixed::from_raw((price + 1 + static_cast<std::int64_t>(random() % 4)) * 1'000'000);
      e.ask_size = e.size;
    }
    all.push_back(e);
  }
  return all;
}

struct story {
  std::string name, strategy;
  given_parameters parameters;
  paper_options venue;
  json limits = json::object();  // Of the portfolio.
};

paper_options costs() {
  paper_options o;
  o.maker_fee_bps = fixed::from_raw(fixed::scale / 2);
  o.taker_fee_bps = fixed::from_raw(2 * fixed::scale);
  o.slippage_bps = fixed::from_raw(fixed::scale);
  return o;
}

std::vector<story> stories() {
  auto slow = costs(), real = costs();
  slow.latency_micros = 700'000;
  real.displayed_size = real.queue_position = true;
  const given_parameters grid{{"levels", 2}, {"spacing_bps", 8}, {"inventory_max", 40}};
  const given_parameters cross{{"fast", 2}, {"slow", 5}};
  return {
      {"bars", "sma_cross", cross, costs()},
      {"bars, slow venue", "sma_cross", cross, slow},
      {"bars, little cash", "sma_cross", cross, costs(), {{"gross_exposure_max", "1007"}}},
      {"quotes", "grid_maker", grid, costs(), {{"symbols", {{"*", {{"short_max", "1000"}}}}}}},
      {"quotes, queue", "grid_maker", grid, real, {{"symbols", {{"*", {{"short_max", "1000"}}}}}}},
      {"quotes, slow venue", "grid_maker", grid, slow},
      {"quotes, few orders", "grid_maker", grid, costs(), {{"open_orders_max", 3}}},
      {"quotes, drawdown", "grid_maker", grid, costs(), {{"drawdown_max_percent", "0.005"}}},
      {"quotes, slow venue, drawdown",
       "grid_maker",
       grid,
       slow,
       {{"drawdown_max_percent", "0.002"}}},
  };
}

/// What a run came to: requests, verdicts, fills in their order, and how each order ended.
struct outcome {
  std::vector<std::string> requests, verdicts, fills;
  std::map<std::string, std::string> ends;
};

std::string verdict_text(std::int64_t number, const json& rest) {
  return std::to_string(number) + ' ' + rest.dump();
}

outcome of_backtest(const story& s, const session_settings& session, const risk_limits& limits,
                    const std::vector<market::market_event>& events) {
  backtest_settings settings;
  settings.session = session;
  settings.limits = limits;
  settings.venue = s.venue;
  const auto result =
      run_backtest(settings, std::vector<symbol_data>{{session.instruments.front(), events, {}}});
  outcome all;
  for (const auto& row : result.orders) {
    all.requests.push_back(json_of(row.request).dump());
    if (row.id.empty()) {
      all.verdicts.push_back(verdict_text(
          row.request.number, {{"refused", name_of(row.refused)}, {"detail", row.detail}}));
      continue;
    }
    all.verdicts.push_back(verdict_text(
        row.request.number, {{"order", row.id}, {"quantity", to_string(row.quantity)}}));
    all.ends[row.id] = name_of(row.status);
  }
  for (const auto& f : result.fills) all.fills.push_back(json_of(f).dump());
  return all;
}

outcome of_world(const story& s, const json& limits,
                 const std::vector<market::market_event>& events, std::uint32_t seed,
                 std::size_t* questions = nullptr) {
  trading_options options;
  options.limits = limits;
  options.paper = s.venue;
  const auto shared = std::make_shared<const trading_options>(options);
  trading_world world(
      {make_session_kind(shared), make_portfolio_kind(), make_paper_venue_kind(s.venue),
       make_risk_kind([limits](std::string_view portfolio) {
         faults wrong;
         return parse_risk_limits(limits, portfolio, wrong).value();
       })},
      seed, 1 + seed % 5);
  std::mt19937 random(seed);
  world.set_log("SPY",
                std::make_shared<market::market_batch>(events, std::span<const market::ohlcv>()),
                random() % events.size());
  const entity_id id{"session", "s1"};
  CHECK(world.ask(id, "create",
                  {{"portfolio", "p1"},
                   {"strategy", s.strategy},
                   {"symbols", {"SPY"}},
                   {"parameters", s.parameters},
                   {"period", "1s"},
                   {"size", {{"by", "quantity"}, {"amount", "10"}}},
                   {"from", "beginning"}}) == json{{"session", "s1"}, {"phase", "created"}});
  CHECK(world.ask(id, "start", json::object())["phase"] == "running");
  world.run();
  CHECK(world.state(id)["session"]["symbols"][0]["cursor"] == events.back().offset);
  outcome all;
  for (const auto& [from, to, what] : world.history) {
    if (questions != nullptr && what.type == "await_effects" && from == id) ++*questions;
    if (what.type == "submit_order") all.requests.push_back(what.body.dump());
    if (to != id) continue;
    if (what.type == "order_approved" || what.type == "order_denied") {
      auto rest = what.body;
      rest.erase("number");
      all.verdicts.push_back(verdict_text(what.body["number"], rest));
    }
    if (what.type == "order_filled") all.fills.push_back(what.body["fill"].dump());
    if (what.type == "order_changed") all.ends[what.body["order"]] = what.body["status"];
  }
  return all;
}

}  // namespace

namespace {

bool is_open(const std::string& status) {
  return status == "pending" || status == "working" || status == "partially_filled";
}

/// The drawdown limit has halted trading, and nothing is left open.
void check_kill_switch(const outcome& all, const std::string& name) {
  CHECK_MESSAGE(std::ranges::any_of(all.verdicts,
                                    [](const std::string& v) {
                                      return v.find(R"("refused":"drawdown")") != std::string::npos;
                                    }),
                name);
  for (const auto& [id, status] : all.ends) CHECK_MESSAGE(!is_open(status), name << ' ' << id);
}

}  // namespace

TEST_CASE("a session on paper does what its back-test does, at any pace, with any deaths") {
  constexpr std::size_t events_count = 120;
  std::size_t orders = 0, fills = 0, denials = 0;
  for (const auto& s : stories())
    for (std::uint32_t seed = 1; seed <= 2; ++seed) {
      const auto name = s.name + ", seed " + std::to_string(seed);
      const auto events = walk(seed % 4, events_count);
      json base{{"symbols", {{"*", {{"price_step", "0.01"}, {"quantity_step", "1"}}}}}};
      base.merge_patch(s.limits);
      const json limits{{"default", base}};
      create_session wish;
      wish.symbols = {"SPY"};
      wish.settings.name = "s1";
      wish.settings.portfolio = "p1";
      wish.settings.strategy = s.strategy;
      wish.settings.parameters = s.parameters;
      wish.settings.bars = market::period::s1;
      wish.settings.size.amount = fixed::from_raw(10 * fixed::scale);
      REQUIRE(complete(wish, limits).refusal == session_refusal::none);
      faults wrong;
      const auto expected =
          of_backtest(s, wish.settings, parse_risk_limits(limits, "p1", wrong).value(), events);
      const auto got = of_world(s, limits, events, seed);
      CHECK_MESSAGE(got.requests == expected.requests, name);
      CHECK_MESSAGE(got.verdicts == expected.verdicts, name);
      CHECK_MESSAGE(got.fills == expected.fills, name);
      for (const auto& [id, status] : expected.ends) {
        if (is_open(status)) {
          CHECK_MESSAGE((!got.ends.contains(id) || is_open(got.ends.at(id))), name << ' ' << id);
        } else {
          CHECK_MESSAGE(got.ends.at(id) == status, name << ' ' << id);
        }
      }
      if (s.limits.contains("drawdown_max_percent")) check_kill_switch(expected, name);
      orders += expected.ends.size();
      fills += expected.fills.size();
      denials += expected.requests.size() - expected.ends.size();
    }
  MESSAGE(orders << " orders, " << fills << " fills, " << denials << " denials");
  CHECK(orders > 500);
  CHECK(fills > 100);
  CHECK(denials > 100);
}

TEST_CASE("the venue looks ahead: a session with resting orders asks seldom") {
  const auto events = walk(1, 400);
  const json limits{{"default", {{"symbols", {{"*", {{"short_max", "1000"}}}}}}}};
  const story s{"wide grid", "grid_maker", {{"levels", 1}, {"spacing_bps", 5000}}, {}};
  std::size_t questions = 0;
  of_world(s, limits, events, 7, &questions);
  CHECK(questions > 0);
  CHECK(questions < 300);  // Of 400 events; the log grows as it is read.
}
