#include "actors/market/symbol.hpp"

#include <algorithm>

#include "runtime/base/ensure.hpp"

namespace troupe::market {

namespace {

constexpr std::int64_t micros_per_milli = 1000;

std::vector<period> periods_of(const market_options& options) {
  std::vector<period> found;
  for (const auto& name : options.periods) {
    const auto p = parse_period(name);
    ensure(p.has_value(), "periods are checked where options are read");
    found.push_back(*p);
  }
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

/// FNV-1a over the names, made positive: the id of a plan needs no one to hand it out.
std::int64_t id_of(const std::vector<std::string>& names) {
  std::uint64_t hash = 14'695'981'039'346'656'037u;
  const auto mix = [&hash](char c) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 1'099'511'628'211u;
  };
  for (const auto& name : names) {
    for (char c : name) mix(c);
    mix('\n');
  }
  return static_cast<std::int64_t>(hash >> 1);
}

price_bar ready_made(const market_event& e, const ohlcv& x) {
  return {x.volume, e.time, x.open, x.high, x.low, x.close, x.trades, 0, 0};
}

wide saturating_add(wide sum, fixed price, fixed size) {
  wide total;
  const auto product = wide{price.raw()} * size.raw();
  return __builtin_add_overflow(sum, product, &total) ? sum : total;
}

void add_to_open(std::vector<price_bar>& open, std::int64_t length, const market_event& trade) {
  if (!open.empty() && trade.time >= open.back().open_time &&
      trade.time < open.back().open_time + length) [[likely]]
    return add_trade(open.back(), trade);
  const auto begin = floor_to(trade.time, length);
  auto at = open.end();
  while (at != open.begin() && (at - 1)->open_time > begin) --at;
  if (at != open.begin() && (at - 1)->open_time == begin) return add_trade(*(at - 1), trade);
  open.insert(at, bar_of(trade, begin));
}

}  // namespace

std::string_view name_of(refusal r) {
  constexpr std::array<std::string_view, refusal_count> names{"out_of_order",
                                                              "duplicate",
                                                              "late",
                                                              "stale_quote",
                                                              "stale_ticker",
                                                              "period_not_configured",
                                                              "period_from_other_source",
                                                              "stale_bar"};
  return names[static_cast<std::size_t>(r)];
}

symbol_rules::symbol_rules(const market_options& options)
    : periods(periods_of(options)),
      lateness_max(options.lateness_max.count() * micros_per_milli),
      indicators(options.indicators),
      plan_id(id_of(indicators.names())) {}

symbol::symbol(const symbol_rules& rules) : rules_(&rules) {
  periods_.reserve(rules.periods.size());
  for (auto p : rules.periods) periods_.emplace_back(p, rules.indicators);
}

void symbol::apply(const market_batch& events, std::size_t& done, symbol_listener& out) {
  static const ohlcv no_detail;
  const auto all = events.events();
  for (; done < all.size(); ++done) {
    const auto& e = all[done];
    apply(e, e.kind < event_kind::ticker ? no_detail : events.detail_of(e), out);
  }
}

std::optional<refusal> symbol::apply(const market_event& e, const ohlcv& detail,
                                     symbol_listener& out) {
  const auto kind = static_cast<std::size_t>(e.kind);
  ++counters_.received[kind];
  const auto refused = take(e, detail, out);
  if (refused)
    ++counters_.refused[static_cast<std::size_t>(*refused)];
  else
    ++counters_.applied[kind];
  return refused;
}

symbol::verdict symbol::take(const market_event& e, const ohlcv& detail, symbol_listener& out) {
  switch (e.kind) {
    case event_kind::trade:
      return take_trade(e, out);
    case event_kind::quote:
      return take_quote(e, out);
    case event_kind::ticker:
      return take_ticker(e, detail);
    case event_kind::bar:
      return take_bar(e, detail, out);
  }
  ensure(false, "a kind of event that nobody takes");
  return std::nullopt;
}

symbol::verdict symbol::take_trade(const market_event& e, symbol_listener& out) {
  if (e.id != market_event::no_id) {
    if (e.id <= trade_id_) return e.id == trade_id_ ? refusal::duplicate : refusal::out_of_order;
    trade_id_ = e.id;
  }
  if (unclaimed_) claim_for_trades();
  if (e.time < late_before_) return refusal::late;
  if (e.time >= next_close_) advance(e.time, out);
  volume_ += e.size.raw();
  if (!last_ || e.time >= last_->time) last_ = last_trade{e.price, e.size, e.time};
  fold_session(e);
  for (auto& p : periods_)
    if (p.source == bar_source::trades) add_to_open(p.open, length_of(p.length), e);
  return std::nullopt;
}

void symbol::claim_for_trades() {
  unclaimed_ = false;
  for (auto& p : periods_)
    if (p.source == bar_source::none) p.source = bar_source::trades;
  restore_watermark();
}

std::int64_t symbol::watermark(std::int64_t newest) const {
  return floor_to(newest - rules_->lateness_max, unit_);
}

void symbol::restore_watermark() {
  unit_ = day_micros;
  for (const auto& p : periods_)
    if (p.source == bar_source::trades) unit_ = std::min(unit_, length_of(p.length));
  if (!last_) return;
  late_before_ = std::max(late_before_, watermark(last_->time));
  next_close_ = watermark(last_->time) + unit_ + rules_->lateness_max;
}

void symbol::advance(std::int64_t newest, symbol_listener& out) {
  late_before_ = std::max(late_before_, watermark(newest));
  next_close_ = watermark(newest) + unit_ + rules_->lateness_max;
  for (auto& p : periods_) {
    if (p.source != bar_source::trades) continue;
    const auto ended = [&](const price_bar& b) {
      return b.open_time + length_of(p.length) <= late_before_;
    };
    const auto still_open = std::find_if_not(p.open.begin(), p.open.end(), ended);
    for (auto at = p.open.begin(); at != still_open; ++at) close(p, *at, out);
    p.open.erase(p.open.begin(), still_open);
  }
}

void symbol::close(period_state& of, const price_bar& closed, symbol_listener& out) {
  thread_local std::vector<double> values;  // Memory only: every value is written below.
  values.resize(rules_->indicators.names().size());
  of.last_closed = closed.open_time;
  // NaN where a sum is beyond them.
  if (!values.empty()) of.indicators.update(indicator_bar_of(closed), values);
  out.bar_closed(of.length, closed, values);
}

void symbol::fold_session(const market_event& trade) {
  const auto begin = session_ ? session_->day.open_time : never;
  if (!session_ || trade.time >= begin + day_micros)
    session_ = session_state{bar_of(trade, floor_to(trade.time, day_micros)), 0};
  else if (trade.time >= begin)
    add_trade(session_->day, trade);
  else
    return;  // Of the day before: in time for its bar, but that session is over.
  session_->notional = saturating_add(session_->notional, trade.price, trade.size);
}

symbol::verdict symbol::take_quote(const market_event& e, symbol_listener& out) {
  auto time = e.time;
  if (e.id == market_event::no_id) {
    if (time < quote_.time) return refusal::stale_quote;
  } else {
    if (e.id <= quote_.id) return refusal::stale_quote;
    quote_.id = e.id;
    time = std::max(time, quote_.time);
  }
  quote_.time = time;
  if (quote_.second == quote_state::none || time >= quote_.second + second_micros) {
    if (quote_.second != quote_state::none) out.second_ended(quote_.second, quote_.top);
    quote_.second = floor_to(time, second_micros);
  }
  if (e.flags & market_event::has_bid) quote_.top.bid = e.price, quote_.top.bid_size = e.size;
  if (e.flags & market_event::has_ask) quote_.top.ask = e.ask, quote_.top.ask_size = e.ask_size;
  return std::nullopt;
}

symbol::verdict symbol::take_ticker(const market_event& e, const ohlcv& window) {
  if (ticker_ && e.time < ticker_->time) return refusal::stale_ticker;
  ticker_ = ticker_state{e.time, window};
  return std::nullopt;
}

symbol::verdict symbol::take_bar(const market_event& e, const ohlcv& values, symbol_listener& out) {
  const auto of = std::find_if(periods_.begin(), periods_.end(),
                               [&](const period_state& p) { return p.length == e.length; });
  if (of == periods_.end()) return refusal::period_not_configured;
  if (of->source == bar_source::trades) return refusal::period_from_other_source;
  if (e.time <= of->last_closed) return refusal::stale_bar;
  of->source = bar_source::bars;
  const auto bar = ready_made(e, values);
  if (e.flags & market_event::forming) {
    if (!of->open.empty() && e.time < of->open.front().open_time) return refusal::stale_bar;
    of->open.assign(1, bar);
  } else {
    if (!of->open.empty() && of->open.front().open_time <= e.time) of->open.clear();
    close(*of, bar, out);
  }
  return std::nullopt;
}

}  // namespace troupe::market
