#include <doctest/doctest.h>

#include "rig.hpp"

namespace troupe::trading::test {

namespace {

using enum session_command;

session_answer refused(session_settings changed) {
  return check(changed);
}

/// A session that has asked for one buy on its first trade.
struct asked {
  asked() : s(settings_for("buy_and_hold", {})) {
    s.obey(start, out);
    take(0);
  }
  void take(std::int64_t offset) {
    market::market_event e;
    e.offset = offset;
    e.time = offset;
    e.price = units(10);
    e.size = units(1);
    s.take(0, e, {}, out);
  }
  session s;
  session_effects out;
};

}  // namespace

TEST_CASE("every command in every phase") {
  struct row {
    session_phase from;
    std::array<std::optional<session_phase>, 5> to;  // By start, pause, resume, stop, delete.
  };
  using enum session_phase;
  const auto no = std::optional<session_phase>();
  const std::array<row, 5> table{{{created, {running, no, no, no, deleted}},
                                  {running, {no, paused, no, stopped, no}},
                                  {paused, {no, no, running, stopped, no}},
                                  {stopped, {no, no, no, no, deleted}},
                                  {deleted, {no, no, no, no, no}}}};
  for (const auto& [from, to] : table)
    for (std::size_t i = 0; i < to.size(); ++i)
      CHECK(next_phase(from, static_cast<session_command>(i)) == to[i]);
}

TEST_CASE("a command that the phase does not allow is refused by name and changes nothing") {
  session s(settings_for("macd", {}));
  session_effects out;
  const auto answer = s.obey(pause, out);
  CHECK(answer.refusal == session_refusal::wrong_phase);
  CHECK(answer.detail == "session s1 is created; that phase allows start, delete");
  CHECK(s.phase() == session_phase::created);
  CHECK(commands_allowed(session_phase::deleted) == "nothing");
  CHECK(s.obey(start, out).refusal == session_refusal::none);
}

TEST_CASE("sessions that cannot be are refused by name, the first reason in the order first") {
  const auto good = settings_for("sma_cross", {{"fast", 10}, {"slow", 20}});
  CHECK(check(good).refusal == session_refusal::none);
  auto wrong = good;
  wrong.instruments.push_back(wrong.instruments[0]);
  CHECK(refused(wrong).refusal == session_refusal::unknown_symbol);
  CHECK(refused(wrong).detail == "symbol SPY is there twice");
  wrong.instruments.clear();
  CHECK(refused(wrong).refusal == session_refusal::unknown_symbol);
  wrong.size.amount = fixed();
  CHECK(refused(wrong).refusal == session_refusal::bad_size);
  wrong.size = {sizing::percent_of_equity, units(100'001)};
  CHECK(refused(wrong).refusal == session_refusal::bad_size);
  wrong.parameters["fast"] = 0;
  CHECK(refused(wrong).refusal == session_refusal::bad_parameter);
  CHECK(refused(wrong).detail.starts_with("sma_cross: parameter fast is 0, and must be"));
  wrong.strategy = "smart";
  CHECK(refused(wrong).refusal == session_refusal::unknown_strategy);
  CHECK(refused(wrong).detail.starts_with("no strategy is called smart; there are sma_cross, "));
  wrong.portfolio = "p 1";
  CHECK(refused(wrong).refusal == session_refusal::bad_name);
  wrong.portfolio = "p1";
  wrong.name = std::string(65, 'x');
  CHECK(refused(wrong).refusal == session_refusal::bad_name);
}

TEST_CASE("symbols are chosen among those that have an instrument") {
  const std::vector<instrument> known{instrument_of("SPY"), instrument_of("IBM")};
  session_settings to;
  CHECK(choose_instruments(std::vector<std::string>{"IBM", "SPY"}, known, to).refusal ==
        session_refusal::none);
  REQUIRE(to.instruments.size() == 2);
  CHECK(to.instruments[0].symbol == "IBM");
  const auto answer = choose_instruments(std::vector<std::string>{"XYZ"}, known, to);
  CHECK(answer.refusal == session_refusal::unknown_symbol);
  CHECK(answer.detail == "symbol XYZ has no instrument");
}

TEST_CASE("a request names its session, number and the event that it was decided on") {
  asked a;
  REQUIRE(a.out.requests.size() == 1);
  const auto& r = a.out.requests[0];
  CHECK(r.session == "s1");
  CHECK(r.number == 1);
  CHECK(r.symbol == "SPY");
  CHECK(r.amount == units(100));
  CHECK(r.size_by == sizing::quantity);
  CHECK(r.decided.offset == 0);
  CHECK(r.decided.last == units(10));
}

TEST_CASE("after a decision no event is taken before its effects are known") {
  asked a;
  CHECK_FALSE(a.s.ready(0, 1));  // No verdict yet.
  CHECK_THROWS(a.take(1));
  a.s.approved(1, "p1-1", units(100), a.out);
  CHECK_FALSE(a.s.ready(0, 1));  // What the venue makes of event 1 is not known yet.
  a.s.effects_known(0, 1);
  CHECK(a.s.ready(0, 1));
  CHECK_FALSE(a.s.ready(0, 2));
  a.s.effects_known(0, 0);  // Says less than what is known.
  CHECK(a.s.ready(0, 1));
  a.s.order_changed("p1-1", order_status::filled);
  CHECK(a.s.ready(0, 2));  // Nothing is at the venue any more.
}

TEST_CASE("a denial answers a request, too; a venue that does not tell is not waited for") {
  asked a;
  a.s.denied(1);
  CHECK(a.s.ready(0, 1));
  CHECK(a.s.open_orders(0).empty());
  auto real = settings_for("buy_and_hold", {});
  real.venue_tells = false;
  rig r(real);
  r.trade(1, 10);
  CHECK(r.s.open_orders(0).size() == 1);
  CHECK(r.s.ready(0, 5));
}

TEST_CASE("answers count once, and those for what is not open do nothing") {
  asked a;
  a.s.denied(7);
  a.s.approved(7, "p1-7", units(1), a.out);
  a.s.approved(1, "p1-1", units(50), a.out);
  a.s.approved(1, "p1-2", units(60), a.out);
  a.s.denied(1);
  REQUIRE(a.s.open_orders(0).size() == 1);
  CHECK(a.s.open_orders(0)[0].id == "p1-1");
  CHECK(a.s.open_orders(0)[0].quantity == units(50));
  a.s.order_changed("p1-9", order_status::canceled);
  a.s.order_changed("", order_status::canceled);
  a.s.order_changed("p1-1", order_status::partially_filled);
  CHECK(a.s.open_orders(0)[0].status == order_status::partially_filled);
}

TEST_CASE("once asked for, effects are waited for though no order is open any more") {
  asked a;
  a.s.approved(1, "p1-1", units(100), a.out);
  a.s.effects_awaited(0, 1);
  a.s.order_changed("p1-1", order_status::filled);
  CHECK_FALSE(a.s.ready(0, 1));
  const auto again = session::load(a.s.save(), session_schema);
  CHECK_FALSE(again->ready(0, 1));
  a.s.effects_known(0, 1);
  CHECK(a.s.ready(0, 2));
}

TEST_CASE("a bracket's children stand beside their entry until they end; a cancel spares them") {
  class canceler final : public strategy {
   public:
    void on_trade(const market_view&, const market::market_event&, orders& with) override {
      if (with.open().empty()) {
        with.buy();
      } else {
        with.cancel(1);
      }
    }
  };
  if (find_strategy("test_canceler") == nullptr)
    add_strategy({"test_canceler",
                  "cancels what it has bought",
                  {},
                  [](const parameter_values&) -> std::unique_ptr<strategy> {
                    return std::make_unique<canceler>();
                  },
                  {}});
  session s(settings_for("test_canceler", {}));
  session_effects out;
  std::int64_t offset = 0;
  const auto trade = [&] {
    out = {};
    market::market_event e;
    e.time = e.offset = offset++;
    e.price = units(10);
    e.size = units(1);
    s.effects_known(0, e.offset);
    s.take(0, e, {}, out);
    return out.cancels;
  };
  using ids = std::vector<std::string>;
  s.obey(start, out);
  trade();
  s.approved(1, "p1-1", units(100), out);
  own_order child;
  child.number = 1;
  child.quantity = units(4);
  child.child = true;
  for (const auto* id : {"p1-2", "p1-3", "p1-3"}) {
    child.id = id;
    s.child_placed(0, child, out);
  }
  REQUIRE(s.open_orders(0).size() == 3);
  s.order_resized("p1-3", units(9));
  CHECK(session::load(s.save(), session_schema)->open_orders(0)[2].quantity == units(9));
  CHECK(session::load(s.save(), session_schema)->open_orders(0)[2].child);
  CHECK(trade() == ids{"p1-1"});
  s.order_changed("p1-1", order_status::canceled);
  CHECK(trade() == ids{"p1-2", "p1-3"});
  s.order_changed("p1-2", order_status::canceled);
  out = {};
  s.obey(stop, out);
  CHECK(out.cancels == ids{"p1-3"});
  child.id = "p1-4";
  s.child_placed(0, child, out);
  CHECK(out.cancels == ids{"p1-3", "p1-4"});
}

TEST_CASE("the position follows the fills") {
  asked a;
  a.s.approved(1, "p1-1", units(100), a.out);
  fill f;
  f.order = "p1-1";
  f.symbol = "SPY";
  f.quantity = units(30);
  a.s.filled(f);
  CHECK(a.s.position(0) == units(30));
  CHECK(a.s.open_orders(0)[0].filled == units(30));
  f.order = "p1-77";  // A child of a bracket, which the session did not ask for itself.
  f.side = side::sell;
  f.quantity = units(50);
  a.s.filled(f);
  CHECK(a.s.position(0) == fixed::from_raw(-units(20).raw()));
}

TEST_CASE("an event that was taken before does nothing") {
  rig r(settings_for("sma_cross", {{"fast", 1}, {"slow", 2}}));
  r.bar(10);
  r.bar(11);
  CHECK(r.requests.size() == 1);
  r.at = 0;
  r.bar(20);
  r.at = 1;
  r.bar(30);
  CHECK(r.s.cursor(0) == 1);
  CHECK(r.requests.size() == 1);

  asked a;
  a.s.denied(1);
  a.take(1);
  const auto before = a.s.save();
  a.take(0);
  a.take(1);
  CHECK(a.s.save() == before);
}

TEST_CASE("while paused it follows the market and asks for nothing; resumed it catches up") {
  rig r(settings_for("sma_cross", {{"fast", 1}, {"slow", 2}}));
  session_effects out;
  r.s.obey(pause, out);
  for (const double close : {10.0, 11.0, 12.0}) r.bar(close);
  CHECK(r.requests.empty());
  r.s.obey(resume, out);
  r.bar(13);
  CHECK(r.decisions == std::vector<decided>{{3, side::buy}});
}

TEST_CASE("stopping cancels what is open, also what is approved only afterwards") {
  rig r(settings_for("grid_maker", {{"levels", 1}}));
  r.quote(1, 99, 101);
  CHECK(r.s.open_orders(0).size() == 2);
  session_effects out;
  r.s.obey(stop, out);
  CHECK(out.cancels == std::vector<std::string>{"p1-1", "p1-2"});
  CHECK_FALSE(r.s.ready(0, 2));

  asked late;
  late.s.obey(stop, late.out);
  CHECK(late.out.cancels.empty());
  late.s.approved(1, "p1-1", units(100), late.out);
  CHECK(late.out.cancels == std::vector<std::string>{"p1-1"});
}

TEST_CASE("trades become bars of the session's period; what a symbol refuses is not seen") {
  auto settings = settings_for("sma_cross", {{"fast", 1}, {"slow", 2}}, market::period::m1);
  rig r(settings);
  constexpr std::int64_t minute = 60'000'000;
  r.trade(0, 10);
  r.trade(minute - 1, 11);  // Closes at 11.
  r.trade(minute, 12);      // The first bar is closed by this.
  CHECK(r.decisions.empty());
  r.trade(minute - 1, 50);  // Late.
  CHECK(r.s.view(0).now.last == units(12));
  CHECK(r.s.view(0).now.offset == 2);
  r.trade(2 * minute, 9);
  CHECK(r.decisions == std::vector<decided>{{4, side::buy}});  // 12 above the mean of 11 and 12.
  CHECK(r.requests[0].decided.last == units(9));
}

TEST_CASE("a bar is known when it closes") {
  rig r(settings_for("buy_and_hold", {}));
  r.bar(10);
  CHECK(to_micros(r.requests[0].decided.time) == market::day_micros);
}

TEST_CASE("sized by volatility, a request carries one day's deviation of returns") {
  auto settings = settings_for("sma_cross", {{"fast", 1}, {"slow", 2}});
  settings.size = {sizing::volatility_target, units(1)};
  rig r(settings);
  for (int i = 0; i < 20; ++i) r.bar(i % 2 == 0 ? 100 : 101);
  CHECK(r.requests.empty());  // Not measured yet.
  for (int i = 20; i < 24; ++i) r.bar(i % 2 == 0 ? 100 : 101);
  REQUIRE_FALSE(r.requests.empty());
  // Returns alternate between 1 % and -0.990099 %: a deviation of 0.99505 %.
  CHECK(r.requests.back().volatility.to_double() == doctest::Approx(0.99505).epsilon(1e-5));
}

}  // namespace troupe::trading::test
