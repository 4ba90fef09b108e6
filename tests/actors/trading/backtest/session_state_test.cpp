#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <random>

#include "rig.hpp"
#include "runtime/entity/entity.hpp"

namespace troupe::trading::test {

namespace {

using nlohmann::json;

/// Drives one session without a break, and another that is saved and loaded at every event.
void check_any_break(const session_settings& settings, bool quotes) {
  const auto drive = [&](bool breaks) {
    std::mt19937 random(7);
    std::uniform_int_distribution<int> step(-150, 150);
    std::vector<order_request> requests;
    auto s = std::make_unique<session>(settings);
    session_effects out;
    s->obey(session_command::start, out);
    double price = 100;
    std::string state;
    for (std::int64_t i = 0; i < 400; ++i) {
      price = std::max(5.0, price + step(random) / 100.0);
      market::market_event e;
      e.kind = quotes ? market::event_kind::quote : market::event_kind::trade;
      e.flags = market::market_event::has_bid | market::market_event::has_ask;
      e.time = i * 20'000'000;
      e.offset = i;
      e.price = units(price);
      e.ask = units(price + 0.02);
      e.size = e.ask_size = units(1);
      s->effects_known(0, i);
      out = {};
      s->take(0, e, {}, out);
      for (const auto& r : out.requests) {
        requests.push_back(r);
        if (r.number % 5 == 0) {
          s->denied(r.number);
          continue;
        }
        s->approved(r.number, "p1-" + std::to_string(r.number), r.amount, out);
        fill f;
        f.symbol = "SPY";
        f.side = r.side;
        f.quantity = r.amount;
        f.order = "p1-" + std::to_string(r.number);
        if (r.type != order_type::market && r.number % 2 == 0) continue;
        s->filled(f);
        s->order_changed(f.order, order_status::filled);
      }
      for (const auto& id : out.cancels) s->order_changed(id, order_status::canceled);
      if (breaks) s = session::load(s->save(), session_schema);
    }
    return std::pair(requests, s->save());
  };
  const auto whole = drive(false), broken = drive(true);
  CHECK(whole.first.size() > 3);
  CHECK(whole.first == broken.first);
  CHECK(whole.second == broken.second);
}

json state_of(const session& s) {
  return json::parse(s.save());
}

}  // namespace

TEST_CASE("saved and loaded between any two events, a session does the same") {
  const std::map<std::string, given_parameters> strategies{
      {"sma_cross", {{"fast", 3}, {"slow", 6}}},
      {"ema_cross", {{"fast", 3}, {"slow", 6}}},
      {"macd", {{"fast", 3}, {"slow", 6}, {"signal", 3}}},
      {"rsi_reversion", {{"period", 5}}},
      {"bollinger_breakout", {{"period", 6}, {"width", 1}}}};
  for (const auto& [name, parameters] : strategies) {
    CAPTURE(name);
    auto settings = settings_for(name, parameters, market::period::m1);
    settings.size = {sizing::volatility_target, units(2)};
    check_any_break(settings, false);
  }
  check_any_break(settings_for("grid_maker", {{"spacing_bps", 60}}), true);
}

TEST_CASE("a state that save cannot have written is refused and says why") {
  rig r(settings_for("ema_cross", {{"fast", 3}, {"slow", 6}}));
  for (int i = 0; i < 6; ++i) r.bar(100 + i);  // The last one decides.
  const auto good = state_of(r.s);
  CHECK(session::load(good.dump(), session_schema)->save() == good.dump());
  CHECK_THROWS_WITH_AS(session::load(good.dump(), 2), "session: schema 2 is not known", bad_state);
  CHECK_THROWS_AS(session::load("", session_schema), bad_state);
  CHECK_THROWS_AS(session::load("[]", session_schema), bad_state);
  const auto without = [&](const std::string& pointer) {
    const json::json_pointer at(pointer);
    auto bad = good;
    bad.at(at.parent_pointer()).erase(at.back());
    CAPTURE(pointer);
    CHECK_THROWS_AS(session::load(bad.dump(), session_schema), bad_state);
  };
  for (const auto* pointer :
       {"/settings", "/settings/strategy", "/settings/size_by", "/phase", "/last_number",
        "/symbols/0/instrument", "/symbols/0/market", "/symbols/0/strategy/fast",
        "/symbols/0/strategy/asked", "/symbols/0/volatility/returns", "/symbols/0/position",
        "/symbols/0/open/0/id", "/symbols/0/cursor", "/symbols/0/known"})
    without(pointer);
  const auto with = [&](const std::string& pointer, const json& value) {
    auto bad = good;
    bad.at(json::json_pointer(pointer)) = value;
    CAPTURE(pointer);
    CHECK_THROWS_AS(session::load(bad.dump(), session_schema), bad_state);
  };
  with("/phase", "asleep");
  with("/settings/strategy", "smart");
  with("/settings/size_by", 9);
  with("/settings/bars", "2m");
  with("/symbols/0/open/0/status", -1);
  with("/symbols/0/position", "5x");
  with("/symbols/0/instrument/price_step", "0");
  with("/symbols/0/strategy/fast", json::array({1}));
  with("/symbols/0/strategy/fast/1", 9);  // More bars seen than its period.
  with("/symbols/0/strategy/fast/0", "much");
}

TEST_CASE("numbers of a strategy's state come back bit by bit") {
  double values[] = {0.1,       -0.0,     1e-300,   5e-324, 1.7976931348623157e308,
                     1.0 / 3.0, HUGE_VAL, -HUGE_VAL};
  json saved = json::object();
  state_fields out(saved, state_fields::way::save);
  for (std::size_t i = 0; i < std::size(values); ++i) out(std::to_string(i), values[i]);
  auto again = json::parse(saved.dump());
  state_fields in(again, state_fields::way::load);
  for (std::size_t i = 0; i < std::size(values); ++i) {
    double loaded = 1;
    in(std::to_string(i), loaded);
    CHECK(std::bit_cast<std::uint64_t>(loaded) == std::bit_cast<std::uint64_t>(values[i]));
  }
}

}  // namespace troupe::trading::test
