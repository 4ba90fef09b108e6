#include "actors/trading/messages.hpp"

namespace troupe::trading {

namespace {

using nlohmann::json;

constexpr fixed none{};
constexpr fixed smallest = fixed::from_raw(1);
constexpr fixed least = fixed::from_raw(-INT64_MAX);
constexpr std::int64_t many = INT64_MAX;
constexpr auto optional = presence::optional;

/// Writes members, leaving out what has its default.
class writer {
 public:
  writer& text(const char* name, std::string_view value) {
    if (!value.empty()) out_[name] = value;
    return *this;
  }
  writer& decimal(const char* name, fixed value) {
    if (value.raw() != 0) out_[name] = to_string(value);
    return *this;
  }
  writer& amount(const char* name, money value) {
    if (value != 0) out_[name] = to_string(value);
    return *this;
  }
  writer& whole(const char* name, std::int64_t value, std::int64_t absent = 0) {
    if (value != absent) out_[name] = value;
    return *this;
  }
  writer& flag(const char* name, bool value) {
    if (value) out_[name] = true;
    return *this;
  }
  writer& time(const char* name, time_point value) { return whole(name, to_micros(value)); }
  template <class Enum>
  writer& choice(const char* name, Enum value) {
    out_[name] = name_of(value);
    return *this;
  }
  template <class Enum>
  writer& choice(const char* name, Enum value, Enum absent) {
    return value == absent ? *this : choice(name, value);
  }
  template <class Value>
  writer& object(const char* name, const Value& value) {
    auto inside = json_of(value);
    if (!inside.empty()) out_[name] = std::move(inside);
    return *this;
  }
  json done() { return std::move(out_); }
  json& raw() { return out_; }

 private:
  json out_ = json::object();
};

void read_texts(field_reader& from, const char* name, std::vector<std::string>& to) {
  const auto* list = from.member(name);
  if (list == nullptr) return;
  if (!list->is_array()) return from.refuse(name, "must be a list of texts");
  for (const auto& element : *list) {
    if (!element.is_string()) return from.refuse(name, "must be a list of texts");
    to.push_back(element.get<std::string>());
  }
}

json json_of(const symbol_facts& v) {
  return writer()
      .decimal("position", v.position)
      .decimal("open_buys", v.open_buys)
      .decimal("open_sells", v.open_sells)
      .decimal("mark", v.mark)
      .done();
}

}  // namespace

json json_of(const decision_point& v) {
  return writer()
      .whole("offset", v.offset, -1)
      .time("time", v.time)
      .decimal("last", v.last)
      .decimal("bid", v.bid)
      .decimal("ask", v.ask)
      .done();
}

void read(field_reader& from, decision_point& to) {
  from.whole("offset", to.offset, -1, many, optional)
      .time("time", to.time, optional)
      .decimal("last", to.last, none, optional)
      .decimal("bid", to.bid, none, optional)
      .decimal("ask", to.ask, none, optional);
}

json json_of(const order_request& v) {
  return writer()
      .text("session", v.session)
      .whole("number", v.number)
      .text("symbol", v.symbol)
      .choice("side", v.side)
      .choice("type", v.type)
      .choice("in_force", v.in_force, time_in_force::gtc)
      .choice("size_by", v.size_by, sizing::quantity)
      .flag("post_only", v.post_only)
      .flag("reduce_only", v.reduce_only)
      .decimal("amount", v.amount)
      .decimal("limit", v.limit)
      .decimal("stop", v.stop)
      .decimal("trail", v.trail)
      .time("good_till", v.good_till)
      .text("oco_group", v.oco_group)
      .decimal("take_profit", v.take_profit)
      .decimal("stop_loss", v.stop_loss)
      .decimal("volatility", v.volatility)
      .object("decided", v.decided)
      .flag("paced", v.paced)
      .done();
}

void read(field_reader& from, order_request& to) {
  from.name("session", to.session)
      .whole("number", to.number, 1, many)
      .name("symbol", to.symbol)
      .choice("side", to.side)
      .choice("type", to.type)
      .choice("in_force", to.in_force, optional)
      .choice("size_by", to.size_by, optional)
      .flag("post_only", to.post_only)
      .flag("reduce_only", to.reduce_only)
      .decimal("amount", to.amount, none)
      .decimal("limit", to.limit, none, optional)
      .decimal("stop", to.stop, none, optional)
      .decimal("trail", to.trail, none, optional)
      .time("good_till", to.good_till, optional)
      .name("oco_group", to.oco_group, optional)
      .decimal("take_profit", to.take_profit, none, optional)
      .decimal("stop_loss", to.stop_loss, none, optional)
      .decimal("volatility", to.volatility, none, optional)
      .flag("paced", to.paced);
  read_member(from, "decided", to.decided, optional);
}

json json_of(const verdict& v) {
  return writer()
      .whole("number", v.number)
      .choice("refused", v.refused, risk_refusal::none)
      .text("detail", v.detail)
      .decimal("quantity", v.quantity)
      .decimal("reserve_price", v.reserve_price)
      .done();
}

void read(field_reader& from, verdict& to) {
  from.whole("number", to.number, 0, many, optional)
      .choice("refused", to.refused, optional)
      .text("detail", to.detail, optional)
      .decimal("quantity", to.quantity, none, optional)
      .decimal("reserve_price", to.reserve_price, none, optional);
}

json json_of(const placement& v) {
  return writer().object("request", v.request).object("approved", v.approved).done();
}

void read(field_reader& from, placement& to) {
  read_member(from, "request", to.request);
  read_member(from, "approved", to.approved);
}

json json_of(const venue_order& v) {
  return writer()
      .text("id", v.id)
      .text("portfolio", v.portfolio)
      .text("symbol", v.symbol)
      .choice("side", v.side)
      .choice("type", v.type)
      .choice("in_force", v.in_force, time_in_force::gtc)
      .flag("post_only", v.post_only)
      .flag("reduce_only", v.reduce_only)
      .decimal("quantity", v.quantity)
      .decimal("limit", v.limit)
      .decimal("stop", v.stop)
      .decimal("trail", v.trail)
      .time("good_till", v.good_till)
      .text("oco_group", v.oco_group)
      .object("decided", v.decided)
      .text("paced_by", v.paced_by)
      .done();
}

void read(field_reader& from, venue_order& to) {
  from.name("id", to.id)
      .name("portfolio", to.portfolio)
      .name("symbol", to.symbol)
      .choice("side", to.side)
      .choice("type", to.type)
      .choice("in_force", to.in_force, optional)
      .flag("post_only", to.post_only)
      .flag("reduce_only", to.reduce_only)
      .decimal("quantity", to.quantity, smallest)
      .decimal("limit", to.limit, none, optional)
      .decimal("stop", to.stop, none, optional)
      .decimal("trail", to.trail, none, optional)
      .time("good_till", to.good_till, optional)
      .text("oco_group", to.oco_group, optional)
      .text("paced_by", to.paced_by, optional);
  read_member(from, "decided", to.decided, optional);
}

json json_of(const venue_cancel& v) {
  return writer().text("order", v.order).object("decided", v.decided).done();
}

void read(field_reader& from, venue_cancel& to) {
  from.name("order", to.order);
  read_member(from, "decided", to.decided, optional);
}

json json_of(const venue_change& v) {
  return writer()
      .text("order", v.order)
      .decimal("quantity", v.quantity)
      .time("time", v.time)
      .done();
}

void read(field_reader& from, venue_change& to) {
  from.name("order", to.order)
      .decimal("quantity", to.quantity, smallest)
      .time("time", to.time, optional);
}

json json_of(const fill& v) {
  return writer()
      .text("id", v.id)
      .text("order", v.order)
      .text("symbol", v.symbol)
      .choice("side", v.side)
      .flag("maker", v.maker)
      .decimal("quantity", v.quantity)
      .decimal("price", v.price)
      .decimal("fee", v.fee)
      .time("time", v.time)
      .done();
}

void read(field_reader& from, fill& to) {
  from.name("id", to.id)
      .name("order", to.order)
      .name("symbol", to.symbol)
      .choice("side", to.side)
      .flag("maker", to.maker)
      .decimal("quantity", to.quantity, smallest)
      .decimal("price", to.price, smallest)
      .decimal("fee", to.fee, least, optional)
      .time("time", to.time, optional);
}

json json_of(const order_report& v) {
  writer out;
  out.choice("what", v.what).text("order", v.order).text("reason", v.reason).time("time", v.time);
  out.whole("offset", v.offset, -1);
  if (v.what == report_kind::filled) out.object("trade", v.trade);
  return out.done();
}

void read(field_reader& from, order_report& to) {
  from.choice("what", to.what)
      .name("order", to.order)
      .text("reason", to.reason, optional)
      .time("time", to.time, optional)
      .whole("offset", to.offset, -1, many, optional);
  if (to.what == report_kind::filled) {
    read_member(from, "trade", to.trade);
    if (!to.trade.order.empty() && to.trade.order != to.order)
      from.refuse("order", "must be the order of trade");
  }
}

json json_of(const facts_change& v) {
  writer out;
  out.whole("offset", v.offset, -1)
      .time("time", v.time)
      .amount("cash", v.cash)
      .amount("reserved", v.reserved)
      .whole("open_orders", v.open_orders)
      .whole("children_to_come", v.children_to_come)
      .whole("placed", v.placed);
  for (const auto& s : v.symbols) out.raw()["symbols"][s.symbol] = json_of(s.facts);
  return out.done();
}

namespace {

void read(field_reader& from, symbol_facts& to) {
  from.decimal("position", to.position, least, optional)
      .decimal("open_buys", to.open_buys, none, optional)
      .decimal("open_sells", to.open_sells, none, optional)
      .decimal("mark", to.mark, none, optional);
}

}  // namespace

void read(field_reader& from, facts_change& to) {
  from.whole("offset", to.offset, -1, many, optional)
      .time("time", to.time, optional)
      .amount("cash", to.cash, optional)
      .amount("reserved", to.reserved, optional)
      .whole("open_orders", to.open_orders, 0, many, optional)
      .whole("children_to_come", to.children_to_come, 0, many, optional)
      .whole("placed", to.placed, 0, many, optional);
  const auto* symbols = from.member("symbols");
  if (symbols == nullptr) return;
  if (!symbols->is_object()) return from.refuse("symbols", "must be an object");
  for (const auto& [symbol, facts] : symbols->items()) {
    facts_change::entry entry{symbol, {}};
    field_reader fields(facts, from.path_of("symbols." + symbol), from.wrong());
    read(fields, entry.facts);
    fields.finish();
    to.symbols.push_back(std::move(entry));
  }
}

void apply(const facts_change& change, portfolio_facts& to) {
  to.cash = change.cash;
  to.reserved = change.reserved;
  to.open_orders = change.open_orders;
  to.children_to_come = change.children_to_come;
  to.placed = change.placed;
  for (const auto& [symbol, facts] : change.symbols) {
    const auto i = to.names.add(symbol).value();
    if (i >= to.symbols.size()) to.symbols.resize(i + 1);
    to.symbols[i] = facts;
  }
}

facts_change all_but_symbols(const portfolio_facts& facts) {
  facts_change all;
  all.cash = facts.cash;
  all.reserved = facts.reserved;
  all.open_orders = facts.open_orders;
  all.children_to_come = facts.children_to_come;
  all.placed = facts.placed;
  return all;
}

facts_change all_of(const portfolio_facts& facts) {
  auto all = all_but_symbols(facts);
  for (std::size_t i = 0; i < facts.symbols.size(); ++i)
    all.symbols.push_back(
        {facts.names.name(symbol_index{static_cast<std::uint32_t>(i)}), facts.symbols[i]});
  return all;
}

json json_of(const order& v) {
  writer out;
  out.whole("number", v.number)
      .object("terms", v.terms)
      .text("session", v.session)
      .whole("request", v.request)
      .whole("verdict", v.verdict)
      .choice("status", v.status)
      .flag("cancel_asked", v.cancel_asked)
      .decimal("filled", v.filled)
      .amount("value", v.value)
      .amount("fees", v.fees)
      .decimal("reserve_price", v.reserve_price)
      .decimal("quantity_told", v.quantity_told)
      .text("reason", v.reason)
      .time("updated", v.updated)
      .decimal("take_profit", v.take_profit)
      .decimal("stop_loss", v.stop_loss)
      .whole("entry", v.entry)
      .whole("take_profit_order", v.take_profit_order)
      .whole("stop_loss_order", v.stop_loss_order)
      .decimal("children_filled", v.children_filled)
      .object("children_at", v.children_at);
  if (!v.fill_ids.empty()) out.raw()["fill_ids"] = v.fill_ids;
  return out.done();
}

void read(field_reader& from, order& to) {
  from.whole("number", to.number, 1, many)
      .name("session", to.session)
      .whole("request", to.request, 1, many)
      .whole("verdict", to.verdict, 0, many, optional)
      .choice("status", to.status)
      .flag("cancel_asked", to.cancel_asked)
      .decimal("filled", to.filled, none, optional)
      .amount("value", to.value, optional)
      .amount("fees", to.fees, optional)
      .decimal("reserve_price", to.reserve_price, none, optional)
      .decimal("quantity_told", to.quantity_told, smallest)
      .text("reason", to.reason, optional)
      .time("updated", to.updated, optional)
      .decimal("take_profit", to.take_profit, none, optional)
      .decimal("stop_loss", to.stop_loss, none, optional)
      .whole("entry", to.entry, 0, many, optional)
      .whole("take_profit_order", to.take_profit_order, 0, many, optional)
      .whole("stop_loss_order", to.stop_loss_order, 0, many, optional)
      .decimal("children_filled", to.children_filled, none, optional);
  read_member(from, "children_at", to.children_at, optional);
  read_member(from, "terms", to.terms);
  read_texts(from, "fill_ids", to.fill_ids);
}

}  // namespace troupe::trading
