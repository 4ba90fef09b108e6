#include <doctest/doctest.h>

#include "actors/trading/backtest.hpp"
#include "actors/trading/messages.hpp"
#include "actors/trading/paper_venue_entity.hpp"
#include "actors/trading/portfolio_entity.hpp"
#include "actors/trading/risk_entity.hpp"
#include "actors/trading/session_entity.hpp"
#include "tests/actors/trading/drawn_strategy.hpp"
#include "trading_world.hpp"

using namespace troupe;
using namespace troupe::trading;
using namespace troupe::trading::test;
using nlohmann::json;

namespace {

enum class market_of : std::uint8_t { close_ticks, ticks, bars, mixed };

struct story {
  std::string name, strategy;
  given_parameters parameters;
  paper_options venue;
  json limits = json::object();  // Of the portfolio.
  market_of market = market_of::close_ticks;
  std::uint32_t first_seed = 1, seeds = 2;

  market::period period() const {
    return market == market_of::close_ticks ? market::period::s1 : market::period::m1;
  }
  /// All but the first go on past midnight.
  stretch events(std::uint32_t seed) const {
    constexpr std::size_t count = 120;
    constexpr std::int64_t minute_ms = 60'000;
    drawn_market drawn(seed);
    switch (market) {
      case market_of::close_ticks:
        return drawn.ticks(count, 600);
      case market_of::ticks:
        return drawn.ticks(count, 2 * minute_ms);
      case market_of::bars:
        return drawn.bars(count, market::period::m1);
      case market_of::mixed:
        return drawn.mixed(3 * count, minute_ms);
    }
    return {};
  }
};

paper_options costs() {
  paper_options o;
  o.maker_fee_bps = fixed::from_raw(fixed::scale / 2);
  o.taker_fee_bps = fixed::from_raw(2 * fixed::scale);
  o.slippage_bps = fixed::from_raw(fixed::scale);
  return o;
}

/// On each kind of market, under each limit, at each venue.
void add_drawn(std::vector<story>& all, const json& limits, const paper_options& slow,
               const paper_options& real) {
  auto loss = limits, fall = limits, few = limits;
  loss["daily_loss_max"] = "2";
  fall["drawdown_max_percent"] = "0.01";
  few["open_orders_max"] = 4;
  const auto add = [&all](const std::string& name, market_of market, const json& limited,
                          const paper_options& venue) {
    const auto seed = static_cast<std::uint32_t>(all.size());
    all.push_back({"drawn, " + name, drawn(), {}, venue, limited, market, seed, 1});
  };
  for (const auto& [market, what] : {std::pair{market_of::ticks, "ticks"},
                                     {market_of::bars, "bars"},
                                     {market_of::mixed, "ticks and bars"}}) {
    const std::string name(what);
    for (const auto& [venue, how] : {std::pair{costs(), ""}, {slow, ", slow venue"}}) {
      add(name + how, market, limits, venue);
      add(name + ", daily loss" + how, market, loss, venue);
      add(name + ", drawdown" + how, market, fall, venue);
    }
    add(name + ", few orders", market, few, costs());
    add(name + ", sizes and queues", market, limits, real);
    add(name + ", few orders, sizes and queues", market, few, real);
  }
}

std::vector<story> stories() {
  auto slow = costs(), real = costs();
  slow.latency_micros = 700'000;
  real.displayed_size = real.queue_position = true;
  const given_parameters grid{{"levels", 2}, {"spacing_bps", 8}, {"inventory_max", 40}};
  const given_parameters cross{{"fast", 2}, {"slow", 5}};
  const json short_too{{"symbols", {{"*", {{"short_max", "1000"}}}}}};
  std::vector<story> all{
      {"bars, crossed", "sma_cross", cross, costs()},
      {"bars, slow venue", "sma_cross", cross, slow},
      {"bars, little cash", "sma_cross", cross, costs(), {{"gross_exposure_max", "1007"}}},
      {"quotes", "grid_maker", grid, costs(), short_too},
      {"quotes, queue", "grid_maker", grid, real, short_too},
      {"quotes, slow venue", "grid_maker", grid, slow},
      {"quotes, few orders", "grid_maker", grid, costs(), {{"open_orders_max", 3}}},
      {"quotes, drawdown", "grid_maker", grid, costs(), {{"drawdown_max_percent", "0.005"}}},
      {"quotes, slow venue, drawdown",
       "grid_maker",
       grid,
       slow,
       {{"drawdown_max_percent", "0.002"}}},
      {"bars over midnight", "sma_cross", cross, costs(), json::object(), market_of::bars},
  };
  add_drawn(all, short_too, slow, real);
  return all;
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
                    const stretch& log) {
  backtest_settings settings;
  settings.session = session;
  settings.limits = limits;
  settings.venue = s.venue;
  const auto result = run_backtest(
      settings, std::vector<symbol_data>{{session.instruments.front(), log.events, log.details}});
  outcome all;
  for (const auto& row : result.orders) {
    if (!row.id.empty()) all.ends[row.id] = name_of(row.status);
    if (row.request.number == 0) continue;  // A child of a bracket.
    all.requests.push_back(json_of(row.request).dump());
    if (row.id.empty()) {
      all.verdicts.push_back(verdict_text(
          row.request.number, {{"refused", name_of(row.refused)}, {"detail", row.detail}}));
      continue;
    }
    all.verdicts.push_back(verdict_text(
        row.request.number, {{"order", row.id}, {"quantity", to_string(row.quantity)}}));
  }
  for (const auto& f : result.fills) all.fills.push_back(json_of(f).dump());
  return all;
}

outcome of_world(const story& s, const json& limits, const given_parameters& parameters,
                 const stretch& log, std::uint32_t seed, std::size_t* questions = nullptr) {
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
  world.set_log("SPY", std::make_shared<market::market_batch>(log.events, log.details),
                random() % log.events.size());
  const entity_id id{"session", "s1"};
  CHECK(world.ask(id, "create",
                  {{"portfolio", "p1"},
                   {"strategy", s.strategy},
                   {"symbols", {"SPY"}},
                   {"parameters", parameters},
                   {"period", name_of(s.period())},
                   {"size", {{"by", "quantity"}, {"amount", "10"}}},
                   {"from", "beginning"}}) == json{{"session", "s1"}, {"phase", "created"}});
  CHECK(world.ask(id, "start", json::object())["phase"] == "running");
  world.run();
  CHECK(world.state(id)["session"]["symbols"][0]["cursor"] == log.events.back().offset);
  outcome all;
  std::vector<json> answers;
  std::map<std::string, json> sizes;  // As groups and brackets have changed them.
  for (const auto& [from, to, what] : world.history) {
    if (questions != nullptr && what.type == "await_effects" && from == id) ++*questions;
    if (what.type == "submit_order") all.requests.push_back(what.body.dump());
    if (to != id) continue;
    if (what.type == "order_approved" || what.type == "order_denied") answers.push_back(what.body);
    if (what.type == "order_resized") sizes[what.body["order"]] = what.body["quantity"];
    if (what.type == "order_filled") all.fills.push_back(what.body["fill"].dump());
    if (what.type == "order_changed") all.ends[what.body["order"]] = what.body["status"];
  }
  for (auto& answer : answers) {
    const auto number = answer["number"].get<std::int64_t>();
    answer.erase("number");
    if (const auto size = sizes.find(answer.value("order", "")); size != sizes.end())
      answer["quantity"] = size->second;
    all.verdicts.push_back(verdict_text(number, answer));
  }
  return all;
}

}  // namespace

namespace {

bool is_open(const std::string& status) {
  return status == "pending" || status == "working" || status == "partially_filled";
}

bool has_refused(const outcome& all, const std::string& why) {
  return std::ranges::any_of(all.verdicts, [text = R"("refused":")" + why](const std::string& v) {
    return v.find(text) != std::string::npos;
  });
}

/// The drawdown limit has halted trading, and nothing is left open.
void check_kill_switch(const outcome& all, const std::string& name) {
  CHECK_MESSAGE(has_refused(all, "drawdown"), name);
  for (const auto& [id, status] : all.ends) CHECK_MESSAGE(!is_open(status), name << ' ' << id);
}

}  // namespace

TEST_CASE("a session on paper does what its back-test does, at any pace, with any deaths") {
  std::size_t orders = 0, fills = 0, denials = 0;
  std::map<std::string, int> drawn_refusals{{"drawdown", 0}, {"daily_loss", 0}, {"open_orders", 0}};
  for (const auto& s : stories())
    for (auto seed = s.first_seed; seed < s.first_seed + s.seeds; ++seed) {
      const auto name = s.name + ", seed " + std::to_string(seed);
      const auto log = s.events(seed);
      auto parameters = s.parameters;
      if (s.strategy == drawn()) parameters["seed"] = seed;
      json base{{"symbols", {{"*", {{"price_step", "0.01"}, {"quantity_step", "1"}}}}}};
      base.merge_patch(s.limits);
      const json limits{{"default", base}};
      create_session wish;
      wish.symbols = {"SPY"};
      wish.settings.name = "s1";
      wish.settings.portfolio = "p1";
      wish.settings.strategy = s.strategy;
      wish.settings.parameters = parameters;
      wish.settings.bars = s.period();
      wish.settings.size.amount = fixed::from_raw(10 * fixed::scale);
      REQUIRE(complete(wish, limits).refusal == session_refusal::none);
      faults wrong;
      const auto expected =
          of_backtest(s, wish.settings, parse_risk_limits(limits, "p1", wrong).value(), log);
      const auto got = of_world(s, limits, parameters, log, seed);
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
      if (s.strategy != drawn() && s.limits.contains("drawdown_max_percent"))
        check_kill_switch(expected, name);
      for (auto& [why, stories] : drawn_refusals)
        stories += s.strategy == drawn() && has_refused(expected, why) ? 1 : 0;
      orders += expected.ends.size();
      fills += expected.fills.size();
      denials += expected.requests.size() - expected.ends.size();
    }
  MESSAGE(orders << " orders, " << fills << " fills, " << denials << " denials");
  CHECK(orders > 500);
  CHECK(fills > 100);
  CHECK(denials > 100);
  for (const auto& [why, stories] : drawn_refusals) CHECK_MESSAGE(stories >= 3, why);
}

TEST_CASE("the venue looks ahead: a session with resting orders asks seldom") {
  const auto log = drawn_market(1).ticks(400, 600);
  const json limits{{"default", {{"symbols", {{"*", {{"short_max", "1000"}}}}}}}};
  const story s{"wide grid", "grid_maker", {{"levels", 1}, {"spacing_bps", 5000}}, {}};
  std::size_t questions = 0;
  of_world(s, limits, s.parameters, log, 7, &questions);
  CHECK(questions > 0);
  CHECK(questions < 300);  // Of 400 events; the log grows as it is read.
}
