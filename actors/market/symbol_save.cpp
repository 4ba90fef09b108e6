#include <numeric>

#include "actors/market/json_text.hpp"
#include "actors/market/symbol.hpp"

namespace troupe::market {

namespace {

constexpr std::int64_t none = std::numeric_limits<std::int64_t>::min();

template <class Values>
std::int64_t sum_of(const Values& values) {
  return std::accumulate(values.begin(), values.end(), std::int64_t{0});
}

void put_time(json_text& to, std::string_view name, std::int64_t micros) {
  if (micros != none) to.name(name).number(micros);
}

void put_id(json_text& to, std::string_view name, std::int64_t id) {
  if (id != market_event::no_id) to.name(name).number(id);
}

void put_kinds(json_text& to, std::string_view name,
               const std::array<std::int64_t, event_kind_count>& counts) {
  to.name(name).raw("{");
  for (std::size_t i = 0; i < counts.size(); ++i)
    to.name(name_of(static_cast<event_kind>(i))).number(counts[i]);
  to.raw("}");
}

void put_refusals(json_text& to, const std::array<std::int64_t, refusal_count>& counts) {
  to.name("refusals").raw("{");
  for (std::size_t i = 0; i < counts.size(); ++i)
    if (counts[i] != 0) to.name(name_of(static_cast<refusal>(i))).number(counts[i]);
  to.raw("}");
}

void put_bar(json_text& to, const price_bar& b) {
  to.name("open_time").number(b.open_time);
  to.name("open").decimal(b.open).name("high").decimal(b.high);
  to.name("low").decimal(b.low).name("close").decimal(b.close);
  to.name("volume").decimal(b.volume).name("trades").number(b.trades);
  to.name("first_time").number(b.first_time).name("last_time").number(b.last_time);
}

void put_quote(json_text& to, const quote_state& q) {
  if (q.time == none) return;
  to.name("quote").raw("{");
  to.name("bid").decimal(q.top.bid).name("bid_size").decimal(q.top.bid_size);
  to.name("ask").decimal(q.top.ask).name("ask_size").decimal(q.top.ask_size);
  to.name("time").number(q.time).name("second").number(q.second);
  put_id(to, "id", q.id);
  to.raw("}");
}

/// Notional has sixteen decimals; the last eight stand apart.
void put_session(json_text& to, const session_state& s) {
  to.name("session").raw("{");
  put_bar(to, s.day);
  to.name("notional").decimal(s.notional / fixed::scale);
  to.name("notional_rest").number(static_cast<std::int64_t>(s.notional % fixed::scale)).raw("}");
}

void put_ticker(json_text& to, const ticker_state& t) {
  const auto& w = t.window;
  to.name("ticker").raw("{").name("time").number(t.time).name("open_time").number(w.open_time);
  to.name("open").decimal(w.open).name("high").decimal(w.high);
  to.name("low").decimal(w.low).name("close").decimal(w.close);
  to.name("volume").decimal(w.volume).name("quote_volume").decimal(w.quote_volume);
  to.name("trades").number(w.trades).raw("}");
}

void begin_period(json_text& to, period length, bar_source source, std::int64_t last_closed) {
  constexpr std::array<std::string_view, 3> names{"none", "trades", "bars"};
  to.name(name_of(length)).raw("{");
  to.name("source").text(names[static_cast<std::size_t>(source)]);
  put_time(to, "last_closed", last_closed);
}

}  // namespace

std::string symbol::save() const {
  std::string state;
  state.reserve(1024);
  json_text to(state);
  to.raw("{").name("trades").number(counters_.applied[0]).name("volume").decimal(volume_);
  if (last_) {
    to.name("last_price").decimal(last_->price).name("last_time").number(last_->time);
    to.name("last_size").decimal(last_->size);
  }
  to.name("refused").number(sum_of(counters_.refused));
  put_id(to, "last_id", trade_id_);
  put_time(to, "late_before", late_before_);
  put_kinds(to, "received", counters_.received);
  put_kinds(to, "applied", counters_.applied);
  put_refusals(to, counters_.refused);
  put_quote(to, quote_);
  if (session_) put_session(to, *session_);
  if (ticker_) put_ticker(to, *ticker_);
  to.name("open").raw("[");
  for (const auto& p : periods_)
    for (const auto& b : p.open) {
      to.separate().raw("{").name("period").text(name_of(p.length));
      put_bar(to, b);
      to.raw("}");
    }
  to.raw("]").name("plan").number(rules_->plan_id).name("periods").raw("{");
  for (const auto& p : periods_) {
    begin_period(to, p.length, p.source, p.last_closed);
    to.name("indicators");
    p.indicators.save(state);
    to.raw("}");
  }
  for (const auto& p : dormant_) {
    begin_period(to, p.length, p.source, p.last_closed);
    to.raw("}");
  }
  to.raw("}}");
  return state;
}

}  // namespace troupe::market
