#include "actors/trading/backtest.hpp"

#include <algorithm>
#include <functional>
#include <utility>

#include "runtime/base/ensure.hpp"

namespace troupe::trading {

using market::event_kind;
using market::market_event;
using market::ohlcv;

namespace {

bool closes_a_bar(const market_event& e) {
  return e.kind == event_kind::bar && (e.flags & market_event::forming) == 0;
}

/// A child of a bracket, told as if it had been asked for.
order_request request_of(const order& child) {
  const auto& t = child.terms;
  order_request r;
  r.session = child.session;
  r.symbol = t.symbol;
  r.side = t.side;
  r.type = t.type;
  r.in_force = t.in_force;
  r.reduce_only = t.reduce_only;
  r.amount = t.quantity;
  r.limit = t.limit;
  r.stop = t.stop;
  r.oco_group = t.oco_group;
  r.decided = t.decided;
  return r;
}

}  // namespace

backtest::backtest(const backtest_settings& settings)
    : session_(settings.session),
      risk_(settings.limits),
      portfolio_({settings.session.portfolio, settings.cash}),
      performance_(settings.cash, session_.symbols(), settings.days_per_year),
      values_(session_.symbols()) {
  for (const auto& one : settings.session.instruments) {
    books_.emplace_back(one.symbol, settings.venue);
    ensure(portfolio_.index_of(one.symbol).value() + 1 == books_.size(),
           "one numbering of symbols");
  }
  session_.obey(session_command::start, wishes_);
}

backtest::~backtest() = default;

void backtest::expect(std::size_t events) {
  constexpr std::size_t events_an_order = 8, orders_max = 1 << 16;
  const auto orders = std::min(events / events_an_order, orders_max);
  result_.orders.reserve(orders);
  result_.fills.reserve(orders);
}

void backtest::take(std::size_t symbol, const market_event& e, const ohlcv& detail) {
  ++result_.events;
  if (!paper_book::counts(e)) return;
  books_[symbol].apply(e, closes_a_bar(e) ? &detail : nullptr, reports_);
  if (!reports_.empty()) settle_reports();
  session_.effects_known(symbol, e.offset);
  session_.take(symbol, e, detail, wishes_);
  if (!wishes_.cancels.empty() || !wishes_.requests.empty()) carry_out(symbol);
  mark(symbol, e);
}

/// What the venue says goes to the portfolio, whose answers may make the venue say more. The risk
/// check hears of each fill by itself, as from the portfolio on a cluster.
void backtest::settle_reports() {
  while (!reports_.empty()) {
    told_.swap(reports_);
    for (const auto& report : told_) settle(report);
    told_.clear();
  }
}

void backtest::settle(const order_report& report) {
  const auto refused = portfolio_.take(report, *this);
  const bool filled = report.what == report_kind::filled && refused == portfolio_refusal::none;
  if (filled && risk_.observe(portfolio_.facts())) cancel_opening({report.offset, report.time});
}

void backtest::carry_out(std::size_t symbol) {
  const auto decided = session_.view(symbol).now;
  for (const auto& id : wishes_.cancels)
    if (const auto number = portfolio_.number_of(id)) portfolio_.cancel(*number, decided, *this);
  for (auto& wish : wishes_.requests) ask(std::move(wish));
  wishes_.cancels.clear();
  wishes_.requests.clear();
  settle_reports();
}

void backtest::ask(order_request&& wish) {
  auto& row = result_.orders.emplace_back();
  row.request = std::move(wish);
  const bool was_halted = risk_.halted_by_drawdown();
  const auto answer = risk_.decide(row.request, portfolio_.facts());
  if (risk_.halted_by_drawdown() && !was_halted) cancel_opening(row.request.decided);
  row.refused = answer.refused;
  row.detail = answer.detail;
  row.quantity = answer.quantity;
  if (!answer.approved()) return session_.denied(row.request.number);
  const auto& placed = portfolio_.place(row.request, answer, *this);
  session_.approved(row.request.number, placed.terms.id, answer.quantity, wishes_);
}

/// The drawdown limit has halted trading.
void backtest::cancel_opening(const decision_point& at) {
  portfolio_.cancel_all({}, at, *this, cancel_scope::opening);
}

/// At the price by which the risk check values a position, too.
void backtest::mark(std::size_t symbol, const market_event& e) {
  const auto price = market_price(session_.view(symbol).now);
  const auto held = portfolio_.positions()[symbol].quantity;
  const auto value = notional_of(price, held);
  held_ += value - std::exchange(values_[symbol], value);
  time_ = std::max(time_, known_at(e));
  performance_.mark(time_, portfolio_.cash() * fixed::scale + held_, held_ != 0);
}

void backtest::order_placed(const order& o) {
  if (o.verdict == 0) {
    result_.orders.emplace_back().request = request_of(o);
    session_.child_placed(o.symbol.value(), child_of(o), wishes_);
  }
  rows_.resize(index_of(o) + 1);
  rows_[index_of(o)] = result_.orders.size() - 1;
  row_of(o).id = o.terms.id;
  books_[o.symbol.value()].take(o.terms, reports_);
}

void backtest::cancel_asked(const order& o, const decision_point& decided) {
  books_[o.symbol.value()].cancel(o.terms.id, decided, reports_);
}

void backtest::quantity_changed(const order& o) {
  row_of(o).quantity = o.terms.quantity;
  books_[o.symbol.value()].change_quantity(o.terms.id, o.terms.quantity, o.updated, reports_);
  session_.order_resized(o.terms.id, o.terms.quantity);
}

void backtest::order_filled(const order& o, const fill& f) {
  auto& row = row_of(o);
  row.filled = o.filled;
  row.value = o.value;
  row.fees = o.fees;
  result_.fills.push_back(f);
  performance_.filled(o.symbol.value(), f);
  session_.filled(f);
}

void backtest::order_changed(const order& o) {
  auto& row = row_of(o);
  row.status = o.status;
  row.detail = o.reason;
  session_.order_changed(o.terms.id, o.status);
}

backtest_result backtest::finish() {
  result_.metrics = performance_.finish();
  result_.curve = performance_.curve();
  result_.trips = performance_.trips();
  result_.cash = portfolio_.cash();
  for (const auto& one : portfolio_.positions()) result_.positions.push_back(one.quantity);
  for (std::size_t symbol = 0; symbol < books_.size(); ++symbol)
    std::ranges::transform(result_.refused, session_.counters(symbol).refused,
                           result_.refused.begin(), std::plus());
  return std::move(result_);
}

namespace {

constexpr std::int64_t events_between_looks = 1 << 16;

const ohlcv& detail_of(const symbol_data& data, const market_event& e) {
  static const ohlcv none;
  return e.kind < event_kind::ticker ? none : data.details[e.detail];
}

/// The symbol whose next event is known first; data.size(): all have ended.
std::size_t next_symbol(std::span<const symbol_data> data, const std::vector<std::size_t>& at) {
  if (data.size() == 1) return at[0] == data[0].events.size() ? 1 : 0;
  std::size_t first = data.size();
  std::int64_t earliest = 0;
  for (std::size_t i = 0; i < data.size(); ++i) {
    if (at[i] == data[i].events.size()) continue;
    const auto time = known_at(data[i].events[at[i]]);
    if (first < data.size() && time >= earliest) continue;
    first = i;
    earliest = time;
  }
  return first;
}

}  // namespace

backtest_result run_backtest(const backtest_settings& settings, std::span<const symbol_data> data,
                             const std::function<void(std::int64_t)>& watch) {
  ensure(data.size() == settings.session.instruments.size(), "data for each symbol of the session");
  backtest run(settings);
  std::vector<std::size_t> at(data.size());
  std::size_t events = 0;
  for (const auto& one : data) events += one.events.size();
  run.expect(events);
  std::int64_t done = 0;
  for (std::size_t i; (i = next_symbol(data, at)) < data.size();) {
    const auto& e = data[i].events[at[i]++];
    run.take(i, e, detail_of(data[i], e));
    if (++done % events_between_looks == 0 && watch) watch(done);
  }
  return run.finish();
}

}  // namespace troupe::trading
