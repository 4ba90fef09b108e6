// Orders through risk check, portfolio and paper venue, and what an event costs a venue that has
// nothing to do.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "actors/trading/paper_book.hpp"
#include "actors/trading/portfolio.hpp"
#include "actors/trading/risk.hpp"

using namespace troupe;
using namespace troupe::trading;

namespace {

constexpr int rounds = 7;
constexpr std::int64_t begin_micros = 1'700'000'000'000'000;

/// CPU time of this thread: the machine may be shared.
double cpu_nanos() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

/// Best of all rounds, in nanoseconds a unit.
double best_of(std::size_t units, const std::function<void()>& work) {
  double best = 1e18;
  for (int i = 0; i < rounds; ++i) {
    const auto begin = cpu_nanos();
    work();
    best = std::min(best, (cpu_nanos() - begin) / static_cast<double>(units));
  }
  return best;
}

market::market_event trade_at(std::size_t i) {
  market::market_event e;
  e.offset = static_cast<std::int64_t>(i);
  e.time = begin_micros + static_cast<std::int64_t>(i) * 1'000;
  e.price = fixed::from_raw((10'000 + static_cast<std::int64_t>(i * 7919 % 100)) * 1'000'000);
  e.size = fixed::from_raw(fixed::scale);
  return e;
}

paper_options options() {
  paper_options o;
  o.taker_fee_bps = fixed::from_raw(10 * fixed::scale);
  return o;
}

risk_limits limits() {
  risk_limits l;
  l.gross_exposure_max = fixed::from_raw(1'000'000 * fixed::scale);
  l.daily_loss_max = fixed::from_raw(100'000'000 * fixed::scale);
  l.drawdown_max_percent = fixed::from_raw(90 * fixed::scale);
  l.open_orders_max = 100;
  l.orders_max = 1'000'000;
  symbol_limits any;
  any.position_max = fixed::from_raw(1'000 * fixed::scale);
  any.price_collar_percent = fixed::from_raw(10 * fixed::scale);
  l.symbols["*"] = any;
  return l;
}

/// Risk check, portfolio and paper venue of one session, in one thread.
class desk final : public portfolio_listener {
 public:
  desk()
      : risk_(limits()),
        portfolio_({"p1", fixed::from_raw(1'000'000'000 * fixed::scale), 100}),
        book_("SPY", options()) {
    request_.session = "s1";
    request_.symbol = "SPY";
    request_.amount = fixed::from_raw(100 * fixed::scale);
  }

  void order_placed(const order& o) override { book_.take(o.terms, reports_); }
  void cancel_asked(const order& o, const decision_point& d) override {
    book_.cancel(o.terms.id, d, reports_);
  }
  void quantity_changed(const order& o) override {
    book_.change_quantity(o.terms.id, o.terms.quantity, o.updated, reports_);
  }
  void order_filled(const order&, const fill&) override { ++fills; }
  void order_changed(const order&) override {}

  /// Decides on one event, and lets the next one fill.
  void order_on(const market::market_event& e, const market::market_event& next) {
    ++request_.number;
    request_.side = request_.number % 2 == 1 ? side::buy : side::sell;
    request_.decided = {e.offset, from_micros(e.time), e.price, {}, {}};
    const auto given = risk_.decide(request_, portfolio_.facts());
    if (!given.approved()) std::abort();
    portfolio_.place(request_, given, *this);
    book_.apply(next, nullptr, reports_);
    for (std::size_t i = 0; i < reports_.size(); ++i) portfolio_.take(reports_[i], *this);
    reports_.clear();
  }

  std::size_t fills = 0;

 private:
  risk risk_;
  portfolio portfolio_;
  paper_book book_;
  paper_book::reports reports_;
  order_request request_;
};

double order_nanos() {
  constexpr std::size_t orders = 100'000;
  std::vector<market::market_event> events;
  for (std::size_t i = 0; i <= orders; ++i) events.push_back(trade_at(i));
  return best_of(orders, [&] {
    desk d;
    for (std::size_t i = 0; i < orders; ++i) d.order_on(events[i], events[i + 1]);
    if (d.fills != orders) std::abort();
  });
}

/// Events that find so many orders resting out of their reach.
double event_nanos(std::size_t resting) {
  std::vector<market::market_event> events;
  for (std::size_t i = 0; i < 1'000'000; ++i) events.push_back(trade_at(i + 1));
  paper_book book("SPY", options());
  paper_book::reports out;
  for (std::size_t i = 0; i < resting; ++i) {
    venue_order o;
    o.id = "p1-" + std::to_string(i + 1);
    o.portfolio = "p1";
    o.symbol = "SPY";
    o.side = i % 2 == 0 ? side::buy : side::sell;
    o.type = order_type::limit;
    o.quantity = fixed::from_raw(fixed::scale);
    o.limit = fixed::from_raw((i % 2 == 0 ? 90 : 110) * fixed::scale);
    o.decided.offset = 0;
    book.take(o, out);
  }
  book.apply(events[0], nullptr, out);
  if (book.orders().size() != resting) std::abort();
  return best_of(events.size(), [&] {
    for (const auto& e : events) book.apply(e, nullptr, out);
    if (out.size() != resting) std::abort();
  });
}

double decide_nanos() {
  constexpr std::size_t orders = 100'000;
  portfolio p({"p1", fixed::from_raw(1'000'000 * fixed::scale), 100});
  for (int i = 0; i < 10; ++i) p.index_of("S" + std::to_string(i));
  order_request r;
  r.session = "s1";
  r.symbol = "S5";
  r.amount = fixed::from_raw(fixed::scale);
  auto facts = p.facts();
  return best_of(orders, [&] {
    risk check(limits());
    for (std::size_t i = 1; i <= orders; ++i) {
      r.number = static_cast<std::int64_t>(i);
      facts.placed = r.number - 1;
      r.decided = {r.number, from_micros(begin_micros), fixed::from_raw(fixed::scale), {}, {}};
      if (!check.decide(r, facts).approved()) std::abort();
    }
  });
}

void print(bool json, std::string_view metric, double value, std::string_view unit) {
  const auto* format =
      json ? R"({"bench": "trading", "metric": "%.*s", "value": %.1f, "unit": "%.*s"})"
             "\n"
           : "%-44.*s %10.1f %.*s\n";
  std::printf(format, static_cast<int>(metric.size()), metric.data(), value,
              static_cast<int>(unit.size()), unit.data());
}

}  // namespace

int main(int argc, char** argv) {
  const bool json = argc > 1 && std::strcmp(argv[1], "--json") == 0;
  const auto order = order_nanos();
  print(json, "order through risk, portfolio and venue", order, "ns/order");
  print(json, "orders a second", 1e9 / order, "orders/s");
  print(json, "risk check alone, 10 symbols", decide_nanos(), "ns/order");
  print(json, "event, no order", event_nanos(0), "ns/event");
  print(json, "event, 2 orders out of reach", event_nanos(2), "ns/event");
  print(json, "event, 20 orders out of reach", event_nanos(20), "ns/event");
}
