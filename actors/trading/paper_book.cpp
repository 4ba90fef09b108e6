#include "actors/trading/paper_book.hpp"

#include <algorithm>
#include <cstdlib>

#include "actors/model/period.hpp"
#include "actors/trading/paper_matching.hpp"

namespace troupe::trading {

namespace {

using market::event_kind;
using market::market_event;

std::int64_t expiry_of(const venue_order& o) {
  const auto decided = to_micros(o.decided.time);
  if (o.in_force == time_in_force::gtd) return to_micros(o.good_till);
  if (o.in_force == time_in_force::day)
    return market::floor_to(decided, market::day_micros) + market::day_micros;
  return paper_order::never;
}

/// An order that came when its end had passed is of a replay: the log alone ends it.
std::int64_t clock_end_of(const venue_order& o, time_point now) {
  const auto end = expiry_of(o);
  if (end <= to_micros(now)) return paper_order::never;
  const auto late = std::max(to_micros(now) - to_micros(o.decided.time), std::int64_t{0});
  return late < paper_order::never - end ? end + late : paper_order::never;
}

/// Behind a decision that names an offset events of the same moment count, unless there is a
/// latency.
std::int64_t live_after(const decision_point& decided, std::int64_t latency) {
  const bool same_moment = decided.offset >= 0 && latency == 0;
  return to_micros(decided.time) + latency - (same_moment ? 1 : 0);
}

std::string_view fault_of(const venue_order& o, std::string_view symbol) {
  if (o.symbol != symbol) return "wrong_symbol";
  const bool limit = o.type == order_type::limit || o.type == order_type::stop_limit;
  const bool stop = o.type == order_type::stop || o.type == order_type::stop_limit;
  if (o.quantity.raw() <= 0 || (limit && o.limit.raw() <= 0) || (stop && o.stop.raw() <= 0) ||
      (o.type == order_type::trailing_stop && o.trail.raw() <= 0))
    return "not_positive";
  return {};
}

order_report report_of(report_kind what, std::string_view order, std::string_view why,
                       std::int64_t time) {
  return {what, std::string(order), std::string(why), from_micros(time), {}, -1};
}

}  // namespace

paper_book::paper_book(std::string symbol, paper_options options)
    : symbol_(std::move(symbol)), options_(options) {}

bool paper_book::fits(const paper_order& o) const {
  return fault_of(o.terms, symbol_).empty() && o.filled < o.terms.quantity;
}

paper_order* paper_book::find(std::string_view id) {
  const auto found = std::find_if(orders_.begin(), orders_.end(), [id](const paper_order& o) {
    return !o.ended && o.terms.id == id;
  });
  return found == orders_.end() ? nullptr : &*found;
}

bool paper_book::has(std::string_view order) const {
  return std::any_of(orders_.begin(), orders_.end(),
                     [order](const paper_order& o) { return o.terms.id == order; });
}

std::uint32_t paper_book::account_of(std::string_view portfolio) {
  for (std::size_t i = 0; i < accounts_.size(); ++i)
    if (accounts_[i].portfolio == portfolio) return static_cast<std::uint32_t>(i);
  accounts_.push_back({std::string(portfolio), {}});
  return static_cast<std::uint32_t>(accounts_.size() - 1);
}

fixed paper_book::holding(std::string_view portfolio) const {
  for (const auto& a : accounts_)
    if (a.portfolio == portfolio) return a.holding;
  return {};
}

void paper_book::hold(std::string_view portfolio, fixed holding) {
  accounts_[account_of(portfolio)].holding = holding;
}

void paper_book::take(const venue_order& order, reports& out, time_point now) {
  const auto time = to_micros(order.decided.time) + options_.latency_micros;
  auto fault = fault_of(order, symbol_);
  if (fault.empty() && find(order.id) != nullptr) fault = "duplicate_order";
  if (!fault.empty()) {
    out.push_back(report_of(report_kind::rejected, order.id, fault, time));
    return;
  }
  paper_order o;
  o.terms = order;
  const auto& d = order.decided;
  if (order.type == order_type::trailing_stop)
    o.best = d.last.raw() != 0 ? d.last : (order.side == side::buy ? d.ask : d.bid);
  o.clock_end = clock_end_of(order, now);
  add(std::move(o));
  out.push_back(report_of(report_kind::acknowledged, order.id, {}, time));
}

/// Adds an order with what follows from its terms.
void paper_book::add(paper_order&& o) {
  for (auto& other : orders_) other.known = known_to(other);
  known_ = paper_order::always;
  o.known = std::max(o.known, to_micros(o.terms.decided.time));
  o.account = account_of(o.terms.portfolio);
  o.behind = std::max(o.behind, o.terms.decided.offset);
  o.live_after = live_after(o.terms.decided, options_.latency_micros);
  o.expires = expiry_of(o.terms);
  add_to_alarm(orders_.emplace_back(std::move(o)));
}

void paper_book::cancel(std::string_view id, const decision_point& decided, reports& out,
                        time_point now) {
  auto* o = find(id);
  const auto latency = decided.offset < 0 ? 0 : options_.latency_micros;
  const auto time = to_micros(decided.time) + latency;
  if (o == nullptr) {
    out.push_back(report_of(report_kind::cancel_refused, id, "unknown_order", time));
  } else if (latency == 0) {
    close(*o, report_kind::canceled, {}, time, out);
    sweep();
  } else {
    o->cancel_after = std::min(o->cancel_after, time);
    if (now != time_point::max())
      o->clock_cancel = std::min(o->clock_cancel, to_micros(now) + latency);
    set_alarm();
  }
}

void paper_book::change_quantity(std::string_view id, fixed quantity, time_point time,
                                 reports& out) {
  auto* o = find(id);
  if (o == nullptr) {
    out.push_back(report_of(report_kind::change_refused, id, "unknown_order", to_micros(time)));
    return;
  }
  o->terms.quantity = std::max(quantity, o->filled);
  if (o->remaining().raw() > 0) return;
  close(*o, report_kind::canceled, "nothing_left", to_micros(time), out);
  sweep();
}

void paper_book::seen(std::int64_t offset) {
  for (auto& o : orders_) o.behind = std::max(o.behind, offset);
}

void paper_book::advance(time_point now, reports& out) {
  for (auto& o : orders_)
    if (o.clock_end <= to_micros(now)) {
      close(o, report_kind::expired, {}, o.expires, out);
    } else if (o.clock_cancel <= to_micros(now)) {
      close(o, report_kind::canceled, {}, o.cancel_after, out);
    }
  sweep();
}

std::int64_t paper_book::clock_end() const {
  auto first = paper_order::never;
  for (const auto& o : orders_) first = std::min({first, o.clock_end, o.clock_cancel});
  return first;
}

void paper_book::close(paper_order& o, report_kind how, std::string_view why, std::int64_t time,
                       reports& out) {
  o.ended = true;
  out.push_back(report_of(how, o.terms.id, why, time));
}

void paper_book::match(const market_event& e, const market::ohlcv* bar, reports& out) {
  if (!counts(e)) return;
  if (e.kind == event_kind::bar && bar == nullptr) return;
  paper_matching(*this, e, bar, out).run();
  sweep();
}

/// Forgets the orders that have ended.
void paper_book::sweep() {
  std::erase_if(orders_, [](const paper_order& o) { return o.ended; });
  set_alarm();
}

void paper_book::set_alarm() {
  alarm_ = {};
  for (const auto& o : orders_) add_to_alarm(o);
}

void paper_book::add_to_alarm(const paper_order& o) {
  const auto& t = o.terms;
  const bool stop = t.type == order_type::stop || t.type == order_type::stop_limit;
  const bool rests = t.type == order_type::limit ? o.met : t.type == order_type::stop_limit;
  alarm_.time = std::min(alarm_.time, o.expires);
  if (o.cancel_after != paper_order::never || options_.queue_position) alarm_.any = true;
  if (stop && !o.triggered) {
    if (t.side == side::buy) alarm_.buy_stop = std::min(alarm_.buy_stop, t.stop);
    if (t.side == side::sell) alarm_.sell_stop = std::max(alarm_.sell_stop, t.stop);
  } else if (rests) {
    if (t.side == side::buy) alarm_.buy_limit = std::max(alarm_.buy_limit, t.limit);
    if (t.side == side::sell) alarm_.sell_limit = std::min(alarm_.sell_limit, t.limit);
  } else {
    alarm_.any = true;
  }
}

}  // namespace troupe::trading
