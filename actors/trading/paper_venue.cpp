#include "actors/trading/paper_venue.hpp"

#include <algorithm>

#include "runtime/entity/entity.hpp"

namespace troupe::trading {

using market::event_kind;
using market::market_event;

namespace {

const market::ohlcv* bar_of(const market::market_batch& batch, const market_event& e) {
  const bool closed = e.kind == event_kind::bar && (e.flags & market_event::forming) == 0;
  return closed ? &batch.detail_of(e) : nullptr;
}

}  // namespace

nlohmann::json json_of(const effects_question& v) {
  return {{"portfolio", v.portfolio}, {"session", v.session}, {"symbol", v.symbol}, {"ask", v.ask},
          {"offset", v.offset},       {"known", v.known}};
}

void read(field_reader& from, effects_question& to) {
  from.name("portfolio", to.portfolio)
      .name("session", to.session)
      .name("symbol", to.symbol)
      .whole("ask", to.ask, 0, INT64_MAX)
      .whole("offset", to.offset, 0, INT64_MAX)
      .whole("known", to.known, -1, INT64_MAX, presence::optional);
}

std::string portfolio_of(std::string_view order) {
  return std::string(order.substr(0, order.rfind('-')));
}

// ---- orders -------------------------------------------------------------------------------------

paper_venue::lane& paper_venue::lane_of(account& of, const std::string& pacer) {
  const auto found = of.lanes.find(pacer);
  if (found != of.lanes.end()) return found->second;
  auto& made = of.lanes.emplace(pacer, lane{paper_book(symbol_, options_)}).first->second;
  if (pacer.empty()) made.awaited = no_limit;
  return made;
}

/// The lane of an order; of one that has ended, a lane that does not have it and says so.
paper_venue::lane& paper_venue::lane_with(account& of, std::string_view order) {
  for (auto& [pacer, one] : of.lanes)
    if (one.book.has(order)) return one;
  return lane_of(of, {});
}

/// A lane without orders that owes no answer has nothing to tell. A session that asked no more must
/// not hurry those that one of its name places later.
void paper_venue::tidy(account& of) {
  std::erase_if(of.lanes, [](const auto& one) { return one.second.idle() && !one.second.open; });
}

void paper_venue::take(const venue_order& order, output& out, time_point now) {
  const auto decided = order.decided.offset;
  heard_ = std::max(heard_, decided);
  auto& of = accounts_[order.portfolio];
  auto& with = lane_of(of, order.paced_by);
  with.known = -1;
  if (with.idle()) {
    with.met = decided >= 0 ? decided : nowhere;
  } else if (decided >= 0 && (decided < with.met || with.met == nowhere)) {
    with.book.seen(with.met);
    with.met = decided;
  }
  with.book.take(order, out.reports, now);
  tidy(of);
}

void paper_venue::cancel(const venue_cancel& wish, output& out, time_point now) {
  auto& of = accounts_[portfolio_of(wish.order)];
  auto& with = lane_with(of, wish.order);
  with.known = -1;
  with.book.cancel(wish.order, wish.decided, out.reports, now);
  tidy(of);
}

void paper_venue::change(const venue_change& wish, output& out) {
  auto& of = accounts_[portfolio_of(wish.order)];
  auto& with = lane_with(of, wish.order);
  with.known = -1;
  with.book.change_quantity(wish.order, wish.quantity, wish.time, out.reports);
  tidy(of);
}

// ---- the log ------------------------------------------------------------------------------------

void paper_venue::await(const effects_question& asked, output& out) {
  auto& of = accounts_[asked.portfolio];
  auto& with = lane_of(of, asked.session);
  // Asked again by the portfolio, after the session itself has asked anew.
  if (with.open && asked.ask < with.ask) return;
  with.awaited = asked.offset;
  with.ask = asked.ask;
  with.open = asked.offset != no_limit;
  with.known = -1;
  if (with.open) heard_ = std::max(heard_, asked.offset);
  settle(asked.portfolio, asked.session, with, out);
  tidy(of);
}

std::optional<std::int64_t> paper_venue::next() const {
  std::optional<std::int64_t> first;
  for (const auto& [name, of] : accounts_)
    for (const auto& [pacer, one] : of.lanes)
      if (!one.idle() && (one.met < one.awaited || looked_))
        first = std::min(first.value_or(one.met), one.met);
  if (first) ++*first;
  return first;
}

void paper_venue::meet(const std::string& portfolio, account& of, lane& with, const market_event& e,
                       const market::ohlcv* bar, output& out) {
  with.book.hold(portfolio, of.holding);
  with.book.apply(e, bar, out.reports);
  of.holding = with.book.holding(portfolio);
  with.met = e.offset;
}

void paper_venue::absorb(const market::market_batch& events, std::size_t& done, std::size_t end,
                         output& out) {
  for (; done < end; ++done) {
    const auto& e = events.events()[done];
    if (paper_book::counts(e)) heard_ = std::max(heard_, e.offset);
    bool wanted = looked_.has_value();
    for (auto& [portfolio, of] : accounts_) {
      for (auto& [pacer, one] : of.lanes) {
        if (one.idle() || one.met == nowhere || one.awaited < e.offset) continue;
        wanted = true;
        if (one.met >= e.offset) continue;
        meet(portfolio, of, one, e, bar_of(events, e), out);
        if (one.open && (one.idle() || one.met >= one.awaited))
          settle(portfolio, pacer, one, out, look_ahead(one, events, done + 1, end));
      }
      tidy(of);
    }
    if (!wanted) return;
  }
}

void paper_venue::passed(std::int64_t next) {
  const bool asked = this->next() == from_now;
  for (auto& [name, of] : accounts_)
    for (auto& [pacer, one] : of.lanes)
      if (asked ? one.met == nowhere : next - 1 <= one.awaited)
        one.met = std::max(one.met, next - 1);
}

void paper_venue::lost(std::int64_t next, output& out) {
  for (auto& [name, of] : accounts_) {
    for (auto& [pacer, one] : of.lanes) {
      if (one.met != nowhere) one.met = std::max(one.met, next - 1);
      settle(name, pacer, one, out);
    }
    tidy(of);
  }
}

/// Answers the session once its orders have met what it asked for; `known`: what came next comes to
/// nothing up to there.
void paper_venue::settle(const std::string& portfolio, const std::string& session, lane& of,
                         output& out, std::int64_t known) const {
  if (!of.open || (!of.idle() && of.met < of.awaited)) return;
  of.open = false;
  of.known = std::max(of.awaited, known);
  out.answers.push_back({portfolio, session, symbol_, of.ask, of.awaited, of.known});
}

/// The last of the next events that come to nothing; -1: not one.
std::int64_t paper_venue::look_ahead(const lane& of, const market::market_batch& events,
                                     std::size_t from, std::size_t end) const {
  constexpr std::size_t looks_ahead = 1000;
  std::int64_t known = -1;
  if (of.idle()) return known;
  auto book = of.book;
  std::vector<order_report> brought;
  for (auto i = from; i < std::min(end, from + looks_ahead); ++i) {
    const auto& e = events.events()[i];
    book.apply(e, bar_of(events, e), brought);
    if (!brought.empty()) break;
    known = e.offset;
  }
  return known;
}

// ---- the clock ----------------------------------------------------------------------------------

std::optional<time_point> paper_venue::clock_end() const {
  auto first = paper_order::never;
  for (const auto& [name, of] : accounts_)
    for (const auto& [pacer, one] : of.lanes) first = std::min(first, one.book.clock_end());
  if (first == paper_order::never) return std::nullopt;
  return from_micros(first);
}

void paper_venue::end_overdue(time_point now, output& out) {
  const bool silent = looked_ == heard_;
  for (auto& [name, of] : accounts_) {
    for (auto& [pacer, one] : of.lanes) {
      if (!silent || std::max(one.met, one.known) < heard_) continue;
      one.book.advance(now, out.reports);
      settle(name, pacer, one, out);
    }
    tidy(of);
  }
  const auto end = clock_end();
  looked_ = end && *end <= now ? std::optional(heard_) : std::nullopt;
}

}  // namespace troupe::trading
