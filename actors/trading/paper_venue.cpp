#include "actors/trading/paper_venue.hpp"

#include <algorithm>

#include "runtime/entity/entity.hpp"

namespace troupe::trading {

using market::event_kind;
using market::market_event;
using nlohmann::json;

namespace {

const market::ohlcv* bar_of(const market::market_batch& batch, const market_event& e) {
  const bool closed = e.kind == event_kind::bar && (e.flags & market_event::forming) == 0;
  return closed ? &batch.detail_of(e) : nullptr;
}

/// A book with the same holdings and no orders.
paper_book without_orders(const paper_book& book) {
  auto state = json::parse(book.save());
  state["orders"] = json::array();
  return paper_book::load(state.dump());
}

}  // namespace

json json_of(const effects_question& v) {
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

std::int64_t paper_venue::account::limit() const {
  std::int64_t furthest = -1;
  for (const auto& [name, pace] : sessions) furthest = std::max(furthest, pace.awaited);
  return furthest;
}

std::int64_t paper_venue::account::met() const {
  std::int64_t least = no_limit;
  for (const auto& g : groups)
    if (!g.book.orders().empty()) least = std::min(least, g.met);
  return least;
}

bool paper_venue::account::idle() const {
  return met() == no_limit;
}

paper_venue::account& paper_venue::account_of(const std::string& portfolio) {
  auto& found = accounts_[portfolio];
  found.known = -1;
  if (found.groups.empty()) found.groups.push_back({paper_book(symbol_, options_), -1});
  return found;
}

paper_venue::group& paper_venue::group_for(account& of, std::int64_t decided) {
  std::erase_if(of.groups,
                [&](const group& g) { return &g != of.groups.data() && g.book.orders().empty(); });
  auto& first = of.groups.front();
  if (of.idle()) {
    first.met = decided;
    forget_finished(of);
  }
  for (auto& g : of.groups)
    if (g.met <= decided) return g;
  return of.groups.emplace_back(group{without_orders(first.book), decided});
}

paper_venue::group& paper_venue::group_with(account& of, std::string_view order) {
  for (auto& g : of.groups)
    for (const auto& o : g.book.orders())
      if (o.terms.id == order) return g;
  return of.groups.front();  // Refuses it.
}

/// Those who ask no more: once all orders have ended they must not hurry anybody else's.
void paper_venue::forget_finished(account& of) {
  std::erase_if(of.sessions, [](const auto& s) { return s.second.awaited == no_limit; });
}

void paper_venue::take(const venue_order& order, output& out, time_point now) {
  heard_ = std::max(heard_, order.decided.offset);
  group_for(account_of(order.portfolio), order.decided.offset).book.take(order, out.reports, now);
}

void paper_venue::cancel(const venue_cancel& wish, output& out) {
  auto& of = account_of(portfolio_of(wish.order));
  group_with(of, wish.order).book.cancel(wish.order, wish.decided, out.reports);
}

void paper_venue::change(const venue_change& wish, output& out) {
  auto& of = account_of(portfolio_of(wish.order));
  group_with(of, wish.order)
      .book.change_quantity(wish.order, wish.quantity, wish.time, out.reports);
}

void paper_venue::await(const effects_question& asked, output& out) {
  auto& of = account_of(asked.portfolio);
  of.sessions[asked.session] = {asked.offset, asked.ask, asked.offset != no_limit};
  if (asked.offset != no_limit) heard_ = std::max(heard_, asked.offset);
  settle(asked.portfolio, of, nullptr, 0, 0, out);
}

std::optional<std::int64_t> paper_venue::next() const {
  std::optional<std::int64_t> first;
  for (const auto& [name, of] : accounts_)
    if (const auto met = of.met(); met < of.limit() || (looked_ && !of.idle()))
      first = std::min(first.value_or(met), met);
  if (first) ++*first;
  return first;
}

void paper_venue::absorb(const market::market_batch& events, std::size_t& done, std::size_t end,
                         output& out) {
  for (; done < end; ++done) {
    const auto& e = events.events()[done];
    if (paper_book::counts(e)) heard_ = std::max(heard_, e.offset);
    bool wanted = looked_.has_value();
    for (auto& [name, of] : accounts_) {
      if (of.idle() || of.limit() < e.offset) continue;
      wanted = true;
      for (auto& g : of.groups) {
        if (g.met >= e.offset) continue;
        g.book.apply(e, bar_of(events, e), out.reports);
        g.met = e.offset;
      }
      settle(name, of, &events, done + 1, end, out);
    }
    if (!wanted) return;
  }
}

void paper_venue::passed(std::int64_t next) {
  for (auto& [name, of] : accounts_)
    for (auto& g : of.groups)
      if (next - 1 <= of.limit()) g.met = std::max(g.met, next - 1);
}

std::optional<time_point> paper_venue::clock_end() const {
  auto first = paper_order::never;
  for (const auto& [name, of] : accounts_)
    for (const auto& g : of.groups) first = std::min(first, g.book.clock_end());
  if (first == paper_order::never) return std::nullopt;
  return from_micros(first);
}

void paper_venue::end_overdue(time_point now, output& out) {
  const bool silent = looked_ == heard_;
  for (auto& [name, of] : accounts_) {
    if (!silent || std::max(of.met(), of.known) < heard_) continue;
    for (auto& g : of.groups) g.book.advance(now, out.reports);
    settle(name, of, nullptr, 0, 0, out);
  }
  const auto end = clock_end();
  looked_ = end && *end <= now ? std::optional(heard_) : std::nullopt;
}

/// Answers those whose orders have met what they asked for. Where all orders are at one place, they
/// are told of the events behind it, too, that come to nothing.
void paper_venue::settle(const std::string& portfolio, account& of,
                         const market::market_batch* events, std::size_t from, std::size_t end,
                         output& out) {
  constexpr std::size_t looks_ahead = 1000;
  const auto met = of.met();
  for (auto& [session, pace] : of.sessions) {
    if (!pace.open || met < pace.awaited) continue;
    pace.open = false;
    auto known = pace.awaited;
    if (events != nullptr && of.groups.size() == 1 && !of.idle()) {
      auto book = of.groups.front().book;
      std::vector<order_report> nothing;
      for (auto i = from; i < std::min(end, from + looks_ahead); ++i) {
        const auto& e = events->events()[i];
        book.apply(e, bar_of(*events, e), nothing);
        if (!nothing.empty()) break;
        known = std::max(known, e.offset);
      }
    }
    out.answers.push_back({portfolio, session, symbol_, pace.ask, pace.awaited, known});
    of.known = std::max(of.known, known);
  }
  if (of.idle()) forget_finished(of);
}

std::string paper_venue::save() const {
  json accounts = json::object();
  for (const auto& [name, of] : accounts_) {
    json sessions = json::object(), groups = json::array();
    for (const auto& [session, pace] : of.sessions)
      sessions[session] = {{"awaited", pace.awaited}, {"ask", pace.ask}, {"open", pace.open}};
    for (const auto& g : of.groups)
      groups.push_back({{"met", g.met}, {"book", json::parse(g.book.save())}});
    accounts[name] = {
        {"sessions", std::move(sessions)}, {"groups", std::move(groups)}, {"known", of.known}};
  }
  return json{{"symbol", symbol_}, {"accounts", std::move(accounts)}}.dump();
}

void paper_venue::load(std::string_view state) {
  try {
    const auto stored = json::parse(state);
    if (stored.at("symbol") != symbol_) throw bad_state("paper venue: another symbol's state");
    accounts_.clear();
    for (const auto& [name, from] : stored.at("accounts").items()) {
      auto& to = accounts_[name];
      for (const auto& [session, pace] : from.at("sessions").items())
        to.sessions[session] = {pace.at("awaited").get<std::int64_t>(),
                                pace.at("ask").get<std::int64_t>(), pace.at("open").get<bool>()};
      for (const auto& g : from.at("groups"))
        to.groups.push_back(
            {paper_book::load(g.at("book").dump()), g.at("met").get<std::int64_t>()});
      to.known = from.value("known", std::int64_t{-1});
      if (to.groups.empty()) throw bad_state("paper venue: an account without a book");
    }
  } catch (const json::exception& e) {
    throw bad_state(std::string("paper venue: ") + e.what());
  }
}

}  // namespace troupe::trading
