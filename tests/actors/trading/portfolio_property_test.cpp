#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include <map>
#include <random>

#include "actors/trading/messages.hpp"
#include "trading_support.hpp"

using namespace troupe;
using namespace troupe::trading;
using namespace troupe::trading::test;

namespace {

const char* const symbols[]{"SPY", "IBM", "BTCUSDT"};

/// What the portfolio should hold, by adding up fills as they were first delivered.
struct ledger {
  money cash = 0, fees = 0;
  std::map<std::string, wide> held;
  std::map<std::string, wide> filled;  // By order.

  void add(const fill& f) {
    const wide product = wide{f.quantity.raw()} * f.price.raw();
    const bool rest = product % fixed::scale != 0;
    const auto value = product / fixed::scale + (f.side == side::buy && rest ? 1 : 0);
    cash += (f.side == side::buy ? -value : value) - f.fee.raw();
    fees += f.fee.raw();
    held[f.symbol] += f.side == side::buy ? f.quantity.raw() : -f.quantity.raw();
    filled[f.order] += f.quantity.raw();
  }
};

/// A venue that works orders at random, tells lies about none of them, but delivers late, twice and
/// in any order.
class shuffling_venue final : public portfolio_listener {
 public:
  explicit shuffling_venue(std::uint32_t seed) : random(seed) {}

  struct known {
    venue_order terms;
    wide filled = 0;
    int fills = 0;
    bool ended = false;
  };

  void order_placed(const order& o) override {
    orders[o.terms.id] = {o.terms, 0, 0, false};
    post(report(report_kind::acknowledged, o.terms.id));
  }
  void cancel_asked(const order& o, const decision_point&) override {
    auto& k = orders.at(o.terms.id);
    post(report(k.ended ? report_kind::cancel_refused : report_kind::canceled, o.terms.id));
    k.ended = true;
  }
  void quantity_changed(const order& o) override {
    if (auto& k = orders.at(o.terms.id); !k.ended) k.terms.quantity = o.terms.quantity;
  }
  void order_filled(const order&, const fill& f) override { booked.add(f); }
  void order_changed(const order&) override {}

  void work() {
    for (auto& [id, k] : orders)
      if (!k.ended && random() % 3 == 0) fill_some(id, k);
  }
  std::optional<order_report> deliver() {
    if (waiting.empty()) return std::nullopt;
    const auto i = random() % waiting.size();
    const auto chosen = waiting[i];
    if (random() % 4 != 0) waiting.erase(waiting.begin() + static_cast<std::ptrdiff_t>(i));
    return chosen;
  }

  std::mt19937 random;
  std::map<std::string, known> orders;
  std::vector<order_report> waiting;
  ledger booked;

 private:
  void post(order_report r) { waiting.push_back(std::move(r)); }

  void fill_some(const std::string& id, known& k) {
    const wide left = k.terms.quantity.raw() - k.filled;
    if (left <= 0) return;
    const wide part = random() % 2 == 0 ? left : 1 + random() % static_cast<std::uint64_t>(left);
    auto r = filled(id, ++k.fills, k.terms.side, "1", "1");
    r.trade.symbol = k.terms.symbol;
    r.trade.quantity = fixed::from_raw(static_cast<std::int64_t>(part));
    r.trade.price = fixed::from_raw(1 + random() % 20'000'000'000);
    r.trade.fee = fixed::from_raw(static_cast<std::int64_t>(random() % 1'000'000) - 200'000);
    k.filled += part;
    k.ended = k.filled >= k.terms.quantity.raw();
    post(r);
  }
};

/// Of open entries none of whose children is open.
std::int64_t children_to_come(const portfolio& p) {
  std::int64_t all = 0;
  for (const auto& [number, entry] : p.orders()) {
    bool waits = !is_final(entry.status);
    for (const auto& [other, o] : p.orders())
      if (o.entry == number && !is_final(o.status)) waits = false;
    if (waits) all += (entry.take_profit > fixed{} ? 1 : 0) + (entry.stop_loss > fixed{} ? 1 : 0);
  }
  return all;
}

void check(const portfolio& p, const ledger& booked, std::mt19937& random) {
  const auto initial = to_money(p.settings().cash);
  CHECK(p.cash() == initial + booked.cash);
  std::vector<fixed> prices;
  wide buys = 0, sells = 0;
  for (std::size_t i = 0; i < p.positions().size(); ++i) {
    prices.push_back(fixed::from_raw(1 + random() % 20'000'000'000));
    const auto& name = p.facts().names.name(symbol_index{static_cast<std::uint32_t>(i)});
    const auto held = booked.held.contains(name) ? booked.held.at(name) : wide{0};
    CHECK(p.positions()[i].quantity.raw() == held);
    CHECK(p.facts().symbols[i].position.raw() == held);
    if (held == 0) CHECK(p.positions()[i].cost == 0);
    buys += p.facts().symbols[i].open_buys.raw();
    sells += p.facts().symbols[i].open_sells.raw();
  }
  CHECK(p.realised() + p.unrealised(prices) == p.equity(prices) - initial);
  std::int64_t open = 0;
  for (const auto& [number, o] : p.orders()) {
    CHECK(o.filled <= o.quantity_told);
    const auto told = booked.filled.contains(o.terms.id) ? booked.filled.at(o.terms.id) : wide{0};
    CHECK(o.filled.raw() == told);
    if (is_final(o.status)) continue;
    ++open;
    if (!o.terms.reduce_only) (o.terms.side == side::buy ? buys : sells) -= o.remaining().raw();
  }
  CHECK(buys == 0);
  CHECK(sells == 0);
  CHECK(open == p.facts().open_orders);
  CHECK(children_to_come(p) == p.facts().children_to_come);
}

order_request random_request(std::mt19937& random, std::int64_t number) {
  auto r = request(number, random() % 2 == 0 ? side::buy : side::sell, "1");
  r.symbol = symbols[random() % 3];
  if (random() % 4 == 0) r.oco_group = "g" + std::to_string(random() % 3);
  if (random() % 3 == 0) r.take_profit = dec("120");
  if (random() % 3 == 0) r.stop_loss = dec("80");
  return r;
}

/// What is saved tells every order as it is now, also ended ones that have changed since.
void check_saved(const portfolio& p) {
  const auto again = portfolio::load(p.save());
  REQUIRE(again.orders().size() == p.orders().size());
  CHECK(again.facts().children_to_come == p.facts().children_to_come);
  for (const auto& [number, o] : p.orders()) CHECK(json_of(*again.find(number)) == json_of(o));
}

}  // namespace

TEST_CASE("any sequence of orders, fills and cancels keeps the books") {
  for (std::uint32_t seed = 1; seed <= 60; ++seed) {
    CAPTURE(seed);
    shuffling_venue venue(seed);
    auto& random = venue.random;
    portfolio p({"p1", fixed::from_raw(1'000'000'000'000), random() % 2 == 0 ? 1000 : 5});
    for (int step = 0; step < 150; ++step) {
      const auto number = p.facts().placed + 1;
      if (random() % 3 == 0) {
        auto v = approval(number, "1");
        v.quantity = fixed::from_raw(1 + random() % 1'000'000'000);
        p.place(random_request(random, number), v, venue);
      }
      if (random() % 8 == 0) p.cancel(1 + static_cast<std::int64_t>(random() % 40), {}, venue);
      venue.work();
      for (int i = 0; i < 3; ++i)
        if (const auto r = venue.deliver()) p.take(*r, venue);
      if (step % 10 == 0) check(p, venue.booked, random);
      if (step % 3 == 0) check_saved(p);
      if (step % 25 == 0) {
        const auto saved = p.save();
        p = portfolio::load(saved);
        CHECK(p.save() == saved);
      }
    }
    p.cancel_all("", {}, venue);
    check(p, venue.booked, random);
  }
}
