#include <doctest/doctest.h>

#include "runtime/entity/entity.hpp"
#include "trading_support.hpp"

using namespace troupe;
using namespace troupe::trading;
using namespace troupe::trading::test;

namespace {

portfolio with_cash(std::string_view cash, std::int64_t ended_max = 1000) {
  return portfolio({"p1", dec(cash), ended_max});
}

/// Places an order of SPY and fills it at once.
void trade_now(portfolio& p, side s, std::string_view quantity, std::string_view price,
               std::string_view fee = "0") {
  kept_portfolio_output out;
  const auto number = p.facts().placed + 1;
  const auto& o = p.place(request(number, s, quantity), approval(number, quantity), out);
  const auto id = o.terms.id;
  REQUIRE(p.take(filled(id, 1, s, quantity, price, fee), out) == portfolio_refusal::none);
}

std::string shown(const holding& p) {
  return to_string(p.quantity) + " at " + to_string(p.entry_price()) + " cost " +
         to_string(p.cost) + " realised " + to_string(p.realised);
}

}  // namespace

TEST_CASE("a portfolio's positions: opening, adding, closing, turning") {
  struct step {
    side s;
    std::string_view quantity, price, fee, position, cash;
  };
  const step steps[]{
      {side::buy, "10", "100", "1", "10 at 100 cost 1000 realised -1", "98999"},
      {side::buy, "10", "110", "1", "20 at 105 cost 2100 realised -2", "97898"},
      {side::sell, "5", "120", "1", "15 at 105 cost 1575 realised 72", "98497"},
      {side::sell, "25", "100", "1", "-10 at 100 cost -1000 realised -4", "100996"},
      {side::buy, "4", "90", "0", "-6 at 100 cost -600 realised 36", "100636"},
      {side::sell, "4", "110", "-1", "-10 at 104 cost -1040 realised 37", "101077"},
      {side::buy, "10", "104", "0", "0 at 0 cost 0 realised 37", "100037"},
  };
  auto p = with_cash("100000");
  for (const auto& s : steps) {
    CAPTURE(s.position);
    trade_now(p, s.s, s.quantity, s.price, s.fee);
    CHECK(shown(p.positions()[0]) == s.position);
    CHECK(to_string(p.cash()) == s.cash);
  }
  CHECK(to_string(p.positions()[0].bought) == "3500");
  CHECK(to_string(p.positions()[0].sold) == "3540");
  CHECK(to_string(p.positions()[0].fees) == "3");
}

TEST_CASE(
    "values are rounded against the portfolio, and the rests of a cost stay with the position") {
  auto p = with_cash("1");
  trade_now(p, side::buy, "0.3", "0.33333333");  // 0.099999999: up.
  CHECK(to_string(p.cash()) == "0.9");
  trade_now(p, side::sell, "0.1", "0.33333333");  // 0.033333333: down.
  CHECK(to_string(p.cash()) == "0.93333333");
  CHECK(to_string(p.positions()[0].cost) == "0.06666667");
  trade_now(p, side::sell, "0.2", "0.33333333");  // 0.066666666: down.
  CHECK(to_string(p.positions()[0].cost) == "0");
  CHECK(to_string(p.realised()) == "-0.00000001");
  CHECK(to_string(p.cash()) == "0.99999999");
}

TEST_CASE("the greatest amounts are exact") {
  auto p = with_cash("0");
  trade_now(p, side::buy, "9000000000", "90000000000");
  trade_now(p, side::sell, "4500000000", "90000000000");
  CHECK(to_string(p.positions()[0].cost) == "405000000000000000000");
  CHECK(to_string(p.realised()) == "0");
  trade_now(p, side::sell, "4500000000", "90000000000");
  CHECK(to_string(p.cash()) == "0");
}

TEST_CASE("reports that come late, twice or out of order") {
  kept_portfolio_output out;
  auto p = with_cash("100000");
  p.place(request(1, side::buy, "10"), approval(1, "10"), out);
  CHECK(out.taken() == strings{"placed 1"});

  SUBCASE("a fill before the acknowledgement") {
    CHECK(p.take(filled("p1-1", 1, side::buy, "4", "100"), out) == portfolio_refusal::none);
    CHECK(p.take(report(report_kind::acknowledged, "p1-1"), out) == portfolio_refusal::repeated);
    CHECK(out.taken() == strings{"filled 1 p1-1.1", "changed 1 partially_filled"});
  }
  SUBCASE("a fill delivered ten times counts once") {
    for (int i = 0; i < 10; ++i) p.take(filled("p1-1", 1, side::buy, "4", "100"), out);
    CHECK(p.positions()[0].quantity == dec("4"));
    CHECK(to_string(p.cash()) == "99600");
  }
  SUBCASE("a fill after the cancel") {
    p.take(report(report_kind::canceled, "p1-1"), out);
    CHECK(p.take(filled("p1-1", 1, side::buy, "4", "100"), out) == portfolio_refusal::none);
    CHECK(p.find(1)->status == order_status::canceled);
    CHECK(p.take(filled("p1-1", 2, side::buy, "6", "100"), out) == portfolio_refusal::none);
    CHECK(p.find(1)->status == order_status::filled);
    CHECK(p.positions()[0].quantity == dec("10"));
    CHECK(p.facts().symbols[0].open_buys == dec("0"));
    CHECK(p.facts().reserved == 0);
    CHECK(p.facts().open_orders == 0);
  }
  SUBCASE("a fill beyond the quantity") {
    p.take(filled("p1-1", 1, side::buy, "8", "100"), out);
    CHECK(p.take(filled("p1-1", 2, side::buy, "2.00000001", "100"), out) ==
          portfolio_refusal::beyond_quantity);
    CHECK(p.positions()[0].quantity == dec("8"));
  }
  SUBCASE("a fill of another symbol, side or of nothing") {
    auto r = filled("p1-1", 1, side::buy, "1", "100");
    r.trade.symbol = "IBM";
    CHECK(p.take(r, out) == portfolio_refusal::malformed_fill);
    CHECK(p.take(filled("p1-1", 1, side::sell, "1", "100"), out) ==
          portfolio_refusal::malformed_fill);
    CHECK(p.take(filled("p1-1", 1, side::buy, "0", "100"), out) ==
          portfolio_refusal::malformed_fill);
    CHECK(p.take(filled("p1-1", 1, side::buy, "1", "0"), out) == portfolio_refusal::malformed_fill);
  }
  SUBCASE("orders of others") {
    for (const auto* id : {"p1-2", "p1-0", "p1-", "p1", "p2-1", "p1-1x", "p1--1", "xp1-1", ""})
      CHECK(p.take(report(report_kind::acknowledged, id), out) == portfolio_refusal::unknown_order);
  }
}

TEST_CASE("ended orders are forgotten, oldest end first, and never confused with unknown ones") {
  kept_portfolio_output out;
  auto p = with_cash("100000", 1);
  for (int i = 1; i <= 3; ++i) p.place(request(i, side::buy, "1"), approval(i, "1"), out);
  p.take(report(report_kind::canceled, "p1-2"), out);
  CHECK(p.find(2) != nullptr);
  p.take(report(report_kind::canceled, "p1-1"), out);
  CHECK(p.find(2) == nullptr);
  CHECK(p.find(1) != nullptr);
  CHECK(p.find(3) != nullptr);
  CHECK(p.take(filled("p1-2", 1, side::buy, "1", "100"), out) ==
        portfolio_refusal::forgotten_order);
  CHECK(p.take(filled("p1-4", 1, side::buy, "1", "100"), out) == portfolio_refusal::unknown_order);
}

TEST_CASE("orders that no report can change are forgotten sooner than others") {
  kept_portfolio_output out;
  auto p = with_cash("100000");
  p.place(request(1, side::buy, "2"), approval(1, "2"), out);
  p.take(report(report_kind::canceled, "p1-1"), out);
  p.place(request(2, side::buy, "2"), approval(2, "2"), out);
  p.take(report(report_kind::canceled, "p1-2"), out);
  p.take(filled("p1-2", 1, side::buy, "2", "100"), out);  // Before the cancel came: closed now.
  auto with_stop = request(3, side::buy, "1");
  with_stop.stop_loss = dec("1");
  p.place(with_stop, approval(3, "1"), out);
  p.take(filled("p1-3", 1, side::buy, "1", "100"), out);
  p.take(filled("p1-4", 1, side::sell, "1", "1"), out);  // Its stop loss.
  const auto last = p.facts().placed + portfolio::closed_max;
  while (p.facts().placed < last) {
    CHECK(p.find(2) != nullptr);
    p = portfolio::load(p.save());
    trade_now(p, side::buy, "1", "100");
  }
  CHECK(p.find(2) == nullptr);
  for (const auto kept : {1, 3, 4}) CHECK(p.find(kept) != nullptr);
  CHECK(p.take(filled("p1-1", 1, side::buy, "1", "100"), out) == portfolio_refusal::none);
  CHECK(p.take(filled("p1-2", 1, side::buy, "2", "100"), out) ==
        portfolio_refusal::forgotten_order);
}

TEST_CASE("cancels are asked for once, and may come too late") {
  kept_portfolio_output out;
  auto p = with_cash("100000");
  p.place(request(1, side::buy, "10"), approval(1, "10"), out);
  out.taken();
  CHECK(p.cancel(1, {}, out) == portfolio_refusal::none);
  CHECK(p.cancel(1, {}, out) == portfolio_refusal::repeated);
  CHECK(out.taken() == strings{"cancel 1"});
  CHECK(p.take(report(report_kind::cancel_refused, "p1-1"), out) == portfolio_refusal::none);
  CHECK(p.take(report(report_kind::cancel_refused, "p1-1"), out) == portfolio_refusal::repeated);
  CHECK(p.cancel(1, {}, out) == portfolio_refusal::none);
  p.take(filled("p1-1", 1, side::buy, "10", "100"), out);
  CHECK(p.take(report(report_kind::canceled, "p1-1"), out) == portfolio_refusal::repeated);
  CHECK(p.cancel(1, {}, out) == portfolio_refusal::already_final);
  CHECK(p.cancel(2, {}, out) == portfolio_refusal::unknown_order);
}

TEST_CASE("open orders are reserved until they end") {
  kept_portfolio_output out;
  auto p = with_cash("100000");
  const auto facts = [&] {
    const auto& s = p.facts().symbols[0];
    return to_string(s.position) + " +" + to_string(s.open_buys) + " -" + to_string(s.open_sells) +
           " reserved " + to_string(p.facts().reserved) + " open " +
           std::to_string(p.facts().open_orders);
  };
  p.place(request(1, side::buy, "10"), approval(1, "10"), out);
  p.place(request(2, side::sell, "3"), approval(2, "3"), out);
  CHECK(facts() == "0 +10 -3 reserved 1000 open 2");
  p.take(filled("p1-1", 1, side::buy, "4", "99"), out);
  CHECK(facts() == "4 +6 -3 reserved 600 open 2");
  p.take(filled("p1-2", 1, side::sell, "3", "99"), out);
  CHECK(facts() == "1 +6 -0 reserved 600 open 1");
  p.take(report(report_kind::expired, "p1-1"), out);
  CHECK(facts() == "1 +0 -0 reserved 0 open 0");
  auto closing = request(3, side::sell, "1");
  closing.reduce_only = true;
  p.place(closing, approval(3, "1"), out);
  CHECK(facts() == "1 +0 -0 reserved 0 open 1");
}

TEST_CASE("a fill cancels the others of its OCO group, in its session alone") {
  kept_portfolio_output out;
  auto p = with_cash("100000");
  auto r = request(1, side::buy, "10");
  r.oco_group = "g";
  p.place(r, approval(1, "10"), out);
  r.number = 2;
  r.symbol = "IBM";
  p.place(r, approval(2, "10"), out);
  r.session = "s2";
  p.place(r, approval(3, "10"), out);
  r.session = "s1";
  r.oco_group = "other";
  p.place(r, approval(4, "10"), out);
  out.taken();
  p.take(filled("p1-1", 1, side::buy, "4", "100"), out);
  p.take(filled("p1-1", 2, side::buy, "6", "100"), out);
  CHECK(out.taken() == strings{"filled 1 p1-1.1", "changed 1 partially_filled", "cancel 2",
                               "filled 1 p1-1.2", "changed 1 filled"});
}

TEST_CASE("a bracket follows its entry's fills, and its children each other's") {
  kept_portfolio_output out;
  auto p = with_cash("100000");
  auto r = request(1, side::buy, "100");
  r.take_profit = dec("110");
  r.stop_loss = dec("90");
  p.place(r, approval(1, "100"), out);
  out.taken();

  p.take(filled("p1-1", 1, side::buy, "40", "100"), out);
  CHECK(out.taken() ==
        strings{"filled 1 p1-1.1", "changed 1 partially_filled", "placed 2", "placed 3"});
  const auto& profit = p.find(2)->terms;
  CHECK(profit.type == order_type::limit);
  CHECK(profit.limit == dec("110"));
  CHECK(profit.side == side::sell);
  CHECK(profit.reduce_only);
  CHECK(profit.quantity == dec("40"));
  const auto& loss = p.find(3)->terms;
  CHECK(loss.type == order_type::stop);
  CHECK(loss.stop == dec("90"));
  CHECK(loss.oco_group == profit.oco_group);

  p.take(filled("p1-2", 1, side::sell, "10", "110"), out);
  CHECK(out.taken() == strings{"filled 2 p1-2.1", "changed 2 partially_filled", "quantity 3=30"});
  p.take(filled("p1-1", 2, side::buy, "60", "100"), out);
  CHECK(out.taken() ==
        strings{"filled 1 p1-1.2", "changed 1 filled", "quantity 2=100", "quantity 3=90"});
  p.take(filled("p1-3", 1, side::sell, "90", "90"), out);
  CHECK(out.taken() == strings{"filled 3 p1-3.1", "changed 3 filled", "cancel 2"});
  CHECK(p.positions()[0].quantity == dec("0"));
}

TEST_CASE("a bracket whose children have ended protects later fills of its entry anew") {
  kept_portfolio_output out;
  auto p = with_cash("100000");
  auto r = request(1, side::sell, "100");
  r.stop_loss = dec("110");
  p.place(r, approval(1, "100"), out);
  p.take(filled("p1-1", 1, side::sell, "40", "100"), out);
  p.take(filled("p1-2", 1, side::buy, "40", "110"), out);
  out.taken();
  p.take(filled("p1-1", 2, side::sell, "60", "100"), out);
  CHECK(out.taken() == strings{"filled 1 p1-1.2", "changed 1 filled", "placed 3"});
  CHECK(p.find(3)->terms.quantity == dec("60"));
  CHECK(p.find(3)->terms.side == side::buy);
}

TEST_CASE("a child that ended before it could be enlarged is replaced") {
  kept_portfolio_output out;
  auto p = with_cash("100000");
  auto r = request(1, side::buy, "100");
  r.stop_loss = dec("90");
  p.place(r, approval(1, "100"), out);
  p.take(filled("p1-1", 1, side::buy, "40", "100"), out);
  p.take(filled("p1-1", 2, side::buy, "60", "100"), out);
  CHECK(p.find(2)->terms.quantity == dec("100"));
  // The venue had filled the 40 that it knew of when it was told of 100.
  p.take(filled("p1-2", 1, side::sell, "40", "90"), out);
  out.taken();
  CHECK(p.take(report(report_kind::change_refused, "p1-2"), out) == portfolio_refusal::none);
  CHECK(out.taken() == strings{"changed 2 canceled", "placed 3"});
  CHECK(p.find(3)->terms.quantity == dec("60"));
  CHECK(p.take(report(report_kind::change_refused, "p1-2"), out) == portfolio_refusal::repeated);
  CHECK(out.taken() == strings{});
}

TEST_CASE("a sibling that traded what it was told before it shrank has traded") {
  kept_portfolio_output out;
  auto p = with_cash("100000");
  auto r = request(1, side::buy, "100");
  r.take_profit = dec("110");
  r.stop_loss = dec("90");
  p.place(r, approval(1, "100"), out);
  p.take(filled("p1-1", 1, side::buy, "100", "100"), out);
  p.take(filled("p1-2", 1, side::sell, "60", "110"), out);
  CHECK(p.find(3)->terms.quantity == dec("40"));
  CHECK(p.take(filled("p1-3", 1, side::sell, "100", "90"), out) == portfolio_refusal::none);
  CHECK(p.find(3)->status == order_status::filled);
  CHECK(p.take(filled("p1-3", 2, side::sell, "0.00000001", "90"), out) ==
        portfolio_refusal::beyond_quantity);
  CHECK(p.positions()[0].quantity == dec("-60"));
}

TEST_CASE("damaged states of a portfolio are refused by name") {
  auto p = with_cash("100");
  trade_now(p, side::buy, "1", "50");
  const auto good = p.save();
  CHECK(portfolio::load(good).save() == good);
  const auto broken = [&](std::string_view from, std::string_view to) {
    auto text = good;
    const auto at = text.find(from);
    REQUIRE(at != std::string::npos);
    return text.replace(at, from.size(), to);
  };
  CHECK_THROWS_AS(portfolio::load("[]"), bad_state);
  CHECK_THROWS_AS(portfolio::load("{"), bad_state);
  CHECK_THROWS_WITH_AS(portfolio::load(broken(R"("cash":"50")", R"("cash":50.5)")),
                       doctest::Contains("cash = 50.5"), bad_state);
  CHECK_THROWS_AS(portfolio::load(broken(R"("ended":[1])", R"("ended":[])")), bad_state);
  CHECK_THROWS_AS(portfolio::load(broken(R"("last_number":1)", R"("last_number":0)")), bad_state);
  CHECK_THROWS_WITH_AS(portfolio::load(broken(R"("fills":1)", R"("fills":-1)")),
                       doctest::Contains("symbols[0].fills = -1"), bad_state);
}
