#include <doctest/doctest.h>

#include <random>

#include "actors/trading/messages.hpp"
#include "trading_support.hpp"

using namespace troupe;
using namespace troupe::trading;
using namespace troupe::trading::test;
using nlohmann::json;

namespace {

class chance {
 public:
  explicit chance(std::uint32_t seed) : random_(seed) {}

  std::uint64_t below(std::uint64_t n) { return random_() % n; }
  bool flag() { return below(2) == 0; }
  std::string name() {
    const char* const names[]{"s1", "BTCUSDT", "p/1", "a \"quoted\" one", "Zürich", "x-1-2"};
    return names[below(std::size(names))];
  }
  fixed amount() { return fixed::from_raw(static_cast<std::int64_t>(random_() >> below(63) >> 1)); }
  fixed maybe() { return flag() ? amount() : fixed{}; }
  fixed positive() { return std::max(amount(), fixed::from_raw(1)); }
  money sum() {
    return (wide{1} << 90) / static_cast<std::int64_t>(1 + below(1'000)) * (flag() ? 1 : -1);
  }
  std::int64_t number() { return 1 + static_cast<std::int64_t>(random_() >> below(62) >> 2); }
  time_point time() {
    return from_micros(begin_micros + static_cast<std::int64_t>(below(1'000'000)));
  }
  template <class Enum>
  Enum one_of() {
    return static_cast<Enum>(below(names_of<Enum>::list.size()));
  }

 private:
  std::mt19937_64 random_;
};

decision_point any_point(chance& c) {
  return {c.flag() ? -1 : c.number(), c.time(), c.maybe(), c.maybe(), c.maybe()};
}

order_request any_request(chance& c) {
  return {c.name(),
          c.number(),
          c.name(),
          c.one_of<side>(),
          c.one_of<order_type>(),
          c.one_of<time_in_force>(),
          c.one_of<sizing>(),
          c.flag(),
          c.flag(),
          c.positive(),
          c.maybe(),
          c.maybe(),
          c.maybe(),
          c.flag() ? c.time() : time_point{},
          c.flag() ? c.name() : "",
          c.maybe(),
          c.maybe(),
          c.maybe(),
          any_point(c),
          c.flag()};
}

verdict any_verdict(chance& c) {
  return {c.number(), c.one_of<risk_refusal>(), c.flag() ? c.name() : "", c.maybe(), c.maybe()};
}

venue_order any_order(chance& c) {
  return {c.name(),
          c.name(),
          c.name(),
          c.one_of<side>(),
          c.one_of<order_type>(),
          c.one_of<time_in_force>(),
          c.flag(),
          c.flag(),
          c.positive(),
          c.maybe(),
          c.maybe(),
          c.maybe(),
          c.flag() ? c.time() : time_point{},
          c.flag() ? c.name() : "",
          any_point(c),
          c.flag() ? c.name() : ""};
}

fill any_fill(chance& c) {
  return {c.name(),     c.name(),
          c.name(),     c.one_of<side>(),
          c.flag(),     c.positive(),
          c.positive(), fixed::from_raw(c.flag() ? c.amount().raw() : -c.amount().raw()),
          c.time()};
}

order_report any_report(chance& c) {
  order_report r{c.one_of<report_kind>(), c.name(), c.flag() ? c.name() : "", c.time(), {}, -1};
  if (r.what == report_kind::filled) {
    r.trade = any_fill(c);
    r.trade.order = r.order;
    r.offset = c.number();
  }
  return r;
}

facts_change any_change(chance& c) {
  facts_change change{c.number(), c.time(),   c.sum(),    c.sum(),
                      c.number(), c.number(), c.number(), {}};
  change.symbols.push_back(
      {"A", {fixed::from_raw(-c.amount().raw()), c.maybe(), c.maybe(), c.maybe()}});
  if (c.flag()) change.symbols.push_back({"B", {}});
  return change;
}

order any_held_order(chance& c) {
  order o;
  o.number = c.number();
  o.terms = any_order(c);
  o.session = c.name();
  o.request = c.number();
  o.verdict = c.number();
  o.status = c.one_of<order_status>();
  o.cancel_asked = c.flag();
  o.filled = c.maybe();
  o.value = c.sum();
  o.fees = c.sum();
  o.reserve_price = c.maybe();
  o.quantity_told = c.positive();
  o.reason = c.flag() ? c.name() : "";
  o.updated = c.time();
  o.take_profit = c.maybe();
  o.stop_loss = c.maybe();
  o.entry = c.number();
  o.take_profit_order = c.number();
  o.stop_loss_order = c.number();
  o.children_filled = c.maybe();
  if (c.flag()) o.children_at = any_point(c);
  if (c.flag()) o.fill_ids = {c.name(), c.name()};
  return o;
}

paper_options any_options(chance& c) {
  paper_options o;
  o.maker_fee_bps = c.flag() ? dec("-0.5") : dec("2");
  o.slippage_bps = dec("0.25");
  o.latency_micros = static_cast<std::int64_t>(c.below(1'000));
  o.displayed_size = c.flag();
  o.queue_position = c.flag();
  return o;
}

/// To JSON, to text, and back.
template <class Value>
void check_round_trip(const Value& value) {
  const auto text = json_of(value).dump();
  CAPTURE(text);
  faults wrong;
  const auto read = parse<Value>(json::parse(text), wrong);
  INFO(to_string(wrong));
  REQUIRE(read.has_value());
  CHECK(*read == value);
  CHECK(json_of(*read).dump() == text);
}

/// Any member spoilt in any way is refused by its name, or means nothing else than before.
template <class Value>
void check_spoilt(const Value& value) {
  const auto good = json_of(value);
  const json spoilers[]{nullptr,
                        true,
                        -1,
                        0.5,
                        "",
                        "nonsense",
                        "1e3",
                        json::array(),
                        json::object(),
                        "99999999999999999999",
                        18446744073709551615ULL};
  for (const auto& [name, member] : good.items())
    for (const auto& spoiler : spoilers) {
      auto bad = good;
      bad[name] = spoiler;
      faults wrong;
      const auto read = parse<Value>(bad, wrong);
      CAPTURE(name);
      CHECK(read.has_value() == wrong.empty());
      for (const auto& f : wrong) {
        CHECK_FALSE(f.field.empty());
        CHECK(f.field.starts_with(name) == true);
        CHECK_FALSE(f.allowed.empty());
      }
    }
  auto more = good;
  more["surplus"] = 1;
  faults wrong;
  CHECK_FALSE(parse<Value>(more, wrong).has_value());
  REQUIRE(wrong.size() == 1);
  CHECK(to_string(wrong[0]) == "surplus = 1: is not known here");
}

}  // namespace

TEST_CASE("all messages go to JSON and back") {
  for (std::uint32_t seed = 1; seed <= 300; ++seed) {
    chance c(seed);
    check_round_trip(any_point(c));
    check_round_trip(any_request(c));
    check_round_trip(any_verdict(c));
    check_round_trip(placement{any_request(c), any_verdict(c)});
    check_round_trip(any_order(c));
    check_round_trip(venue_cancel{c.name(), any_point(c)});
    check_round_trip(venue_change{c.name(), c.positive(), c.time()});
    check_round_trip(any_fill(c));
    check_round_trip(any_report(c));
    check_round_trip(any_change(c));
    check_round_trip(any_held_order(c));
    check_round_trip(any_options(c));
  }
}

TEST_CASE("what is wrong with a message is told by name, and nothing is thrown") {
  for (std::uint32_t seed = 1; seed <= 20; ++seed) {
    chance c(seed);
    check_spoilt(any_request(c));
    check_spoilt(any_verdict(c));
    check_spoilt(any_order(c));
    check_spoilt(any_fill(c));
    check_spoilt(any_held_order(c));
    check_spoilt(any_options(c));
  }
}

TEST_CASE("faults name field, value and what is allowed") {
  faults wrong;
  const auto bad = json::parse(R"({"session": 7, "number": 0, "symbol": "SPY", "side": "long",
    "type": "limit", "limit": 1.5, "amount": "-1", "decided": {"last": "x", "offset": -2}})");
  CHECK_FALSE(parse<order_request>(bad, wrong).has_value());
  std::vector<std::string> all;
  for (const auto& f : wrong) all.push_back(to_string(f));
  CHECK(all ==
        strings{
            "session = 7: must be a text",
            "number = 0: must be a whole number from 1 to 9223372036854775807",
            "side = \"long\": must be one of buy, sell",
            "amount = \"-1\": must be a decimal with at most 8 places, as text, not below 0",
            "limit = 1.5: must be a decimal with at most 8 places, as text, not below 0",
            "decided.offset = -2: must be a whole number from -1 to 9223372036854775807",
            "decided.last = \"x\": must be a decimal with at most 8 places, as text, not below 0"});
  wrong.clear();
  CHECK_FALSE(parse<fill>(json::object(), wrong).has_value());
  CHECK(to_string(wrong.at(0)) == "id is missing: must be given");
  wrong.clear();
  CHECK_FALSE(parse<fill>(json::array(), wrong).has_value());
  REQUIRE(wrong.size() == 1);
  CHECK(to_string(wrong[0]) == "document = []: must be an object");
}

TEST_CASE("facts are changed by what a portfolio tells of them") {
  portfolio_facts facts;
  apply({-1, {}, 10, 3, 2, 1, 7, {{"SPY", {dec("5"), {}, {}, dec("100")}}}}, facts);
  apply({-1, {}, 11, 0, 1, 0, 8, {{"IBM", {dec("1"), {}, {}, dec("50")}}}}, facts);
  CHECK(facts.children_to_come == 0);
  CHECK(facts.cash == 11);
  CHECK(facts.placed == 8);
  REQUIRE(facts.symbols.size() == 2);
  CHECK(facts.symbols[facts.names.find("SPY")->value()].position == dec("5"));
  CHECK(facts.symbols[facts.names.find("IBM")->value()].mark == dec("50"));
}
