#include "actors/trading/risk_limits.hpp"

#include "actors/market/market_decoder.hpp"
#include "actors/trading/names.hpp"

namespace troupe::trading {

namespace {

using nlohmann::json;

constexpr fixed zero{};
constexpr fixed smallest = fixed::from_raw(1);
constexpr fixed hundred = fixed::from_raw(100 * fixed::scale);
constexpr auto optional = presence::optional;

void read_limit(field_reader& from, std::string_view name, std::optional<fixed>& to) {
  fixed value = to.value_or(zero);
  const auto before = from.wrong().size();
  from.decimal(name, value, zero, optional);
  if (from.object().contains(name) && from.wrong().size() == before) to = value;
}

void read_limit(field_reader& from, std::string_view name, std::optional<std::int64_t>& to) {
  std::int64_t value = to.value_or(0);
  const auto before = from.wrong().size();
  from.whole(name, value, 0, INT64_MAX, optional);
  if (from.object().contains(name) && from.wrong().size() == before) to = value;
}

/// 0 of a maximum is no maximum.
void check_range(field_reader& from, std::string_view name, fixed min, fixed max) {
  if (max.raw() != 0 && min > max) from.refuse(name, "must not be above its maximum");
}

void read(field_reader& from, symbol_limits& to) {
  auto& rules = to.rules;
  from.flag("tradable", rules.tradable)
      .decimal("price_step", rules.price_step, smallest, optional)
      .decimal("quantity_step", rules.quantity_step, smallest, optional)
      .decimal("quantity_min", rules.quantity_min, zero, optional)
      .decimal("quantity_max", rules.quantity_max, zero, optional)
      .decimal("notional_min", rules.notional_min, zero, optional)
      .decimal("notional_max", rules.notional_max, zero, optional)
      .decimal("short_max", to.short_max, zero, optional);
  read_limit(from, "position_max", to.position_max);
  read_limit(from, "price_collar_percent", to.price_collar_percent);
  check_range(from, "quantity_min", rules.quantity_min, rules.quantity_max);
  check_range(from, "notional_min", rules.notional_min, rules.notional_max);
}

json json_of(const symbol_limits& s);

/// Null takes a limit away: for a reader there is nothing to read then. What is no limit stays, so
/// that it is refused.
json without_nulls(const json& from, const json& known) {
  if (!from.is_object()) return from;
  json out = json::object();
  for (const auto& [name, value] : from.items())
    if (!value.is_null() || !known.contains(name)) out[name] = value;
  return out;
}

/// As RFC 7396's merge, but null stays: a symbol must still take away what `*` would bring.
void lay_over(json& base, const json& own) {
  if (!own.is_object() || !base.is_object()) {
    base = own;
    return;
  }
  for (const auto& [name, value] : own.items()) lay_over(base[name], value);
}

/// Every symbol laid over `*`; members without a value are gone.
json laid_over_any(const json& symbols) {
  static const json known = json_of(symbol_limits{});
  json out = json::object();
  const auto any = symbols.find("*");
  for (const auto& [symbol, own] : symbols.items()) {
    if (own.is_null()) continue;
    json whole = any != symbols.end() && any->is_object() ? *any : json::object();
    lay_over(whole, own);
    out[symbol] = without_nulls(whole, known);
  }
  return out;
}

void read_symbols(field_reader& from, risk_limits& to) {
  const auto* symbols = from.member("symbols");
  if (symbols == nullptr) return;
  if (!symbols->is_object()) return from.refuse("symbols", "must be an object");
  const auto complete = laid_over_any(*symbols);
  for (const auto& [symbol, whole] : complete.items()) {
    field_reader fields(whole, from.path_of("symbols." + symbol), from.wrong());
    symbol_limits limits;
    read(fields, limits);
    fields.finish();
    limits.rules.symbol = symbol == "*" ? "" : symbol;
    to.symbols.insert_or_assign(symbol, std::move(limits));
  }
}

void read(field_reader& from, risk_limits& to) {
  read_limit(from, "gross_exposure_max", to.gross_exposure_max);
  read_limit(from, "daily_loss_max", to.daily_loss_max);
  read_limit(from, "drawdown_max_percent", to.drawdown_max_percent);
  read_limit(from, "open_orders_max", to.open_orders_max);
  read_limit(from, "orders_max", to.orders_max);
  std::int64_t window = to.orders_window_ms.count();
  from.whole("orders_window_ms", window, 1, 86'400'000, optional)
      .flag("cash_required", to.cash_required)
      .decimal("market_reserve_percent", to.market_reserve_percent, zero, optional)
      .decimal("fee_reserve_bps", to.fee_reserve_bps, zero, optional);
  to.orders_window_ms = std::chrono::milliseconds(window);
  if (to.drawdown_max_percent > hundred)
    from.refuse("drawdown_max_percent", "must be from 0 to 100");
  if (to.market_reserve_percent > hundred)
    from.refuse("market_reserve_percent", "must be from 0 to 100");
  if (to.fee_reserve_bps > hundred) from.refuse("fee_reserve_bps", "must be from 0 to 100");
  read_symbols(from, to);
}

/// What operators write may name no symbol that there cannot be.
void check_symbols(const json& limits, const std::string& path, faults& wrong) {
  if (!limits.is_object() || !limits.contains("symbols")) return;
  for (const auto& [symbol, own] : limits["symbols"].items())
    if (limits["symbols"].is_object() && !market::is_symbol(symbol))
      wrong.push_back({path + ".symbols", json(symbol).dump(),
                       "symbols must have " + std::string(market::symbols_text)});
}

void check_part(const json& limits, const std::string& path, faults& wrong) {
  check_symbols(limits, path, wrong);
  parse_limits(limits, path, wrong);
}

/// All objects of the document by themselves, so that each fault is told once and where it stands.
void check_parts(const json& document, faults& wrong) {
  field_reader fields(document, "", wrong);
  if (const auto* common = fields.member("default", presence::required))
    check_part(*common, "default", wrong);
  if (const auto* portfolios = fields.member("portfolios")) {
    if (portfolios->is_object()) {
      for (const auto& [name, own] : portfolios->items()) {
        if (!is_trading_name(name))
          wrong.push_back({"portfolios", json(name).dump(),
                           "names must be " + std::string(trading_names_text)});
        check_part(own, "portfolios." + name, wrong);
      }
    } else {
      fields.refuse("portfolios", "must be an object");
    }
  }
  fields.finish();
}

template <class Value>
json shown(const std::optional<Value>& limit) {
  if (!limit) return nullptr;
  if constexpr (std::is_same_v<Value, fixed>)
    return to_string(*limit);
  else
    return *limit;
}

json json_of(const symbol_limits& s) {
  const auto& r = s.rules;
  return {{"tradable", r.tradable},
          {"price_step", to_string(r.price_step)},
          {"quantity_step", to_string(r.quantity_step)},
          {"quantity_min", to_string(r.quantity_min)},
          {"quantity_max", to_string(r.quantity_max)},
          {"notional_min", to_string(r.notional_min)},
          {"notional_max", to_string(r.notional_max)},
          {"position_max", shown(s.position_max)},
          {"short_max", to_string(s.short_max)},
          {"price_collar_percent", shown(s.price_collar_percent)}};
}

}  // namespace

const symbol_limits* risk_limits::find(std::string_view symbol) const {
  const auto own = symbols.find(symbol);
  if (own != symbols.end()) return &own->second;
  const auto any = symbols.find("*");
  return any == symbols.end() ? nullptr : &any->second;
}

std::optional<risk_limits> parse_limits(const json& limits, std::string path, faults& wrong) {
  const auto before = wrong.size();
  risk_limits made;
  static const json known = to_json(risk_limits{});
  const auto given = without_nulls(limits, known);
  field_reader fields(given, std::move(path), wrong);
  read(fields, made);
  fields.finish();
  if (wrong.size() != before) return std::nullopt;
  return made;
}

std::optional<risk_limits> parse_risk_limits(const json& document, std::string_view portfolio,
                                             faults& wrong) {
  const auto before = wrong.size();
  check_parts(document, wrong);
  if (wrong.size() != before) return std::nullopt;
  json whole = document.at("default");
  if (const auto all = document.find("portfolios"); all != document.end())
    if (const auto own = all->find(portfolio); own != all->end()) lay_over(whole, *own);
  return parse_limits(whole, "portfolios." + std::string(portfolio), wrong);
}

std::optional<risk_limits> parse_change(const json& limits, const json& change, faults& wrong) {
  const auto before = wrong.size();
  check_symbols(change, "limits", wrong);
  auto whole = limits;
  lay_over(whole, change);
  auto made = parse_limits(whole, "limits", wrong);
  return wrong.size() == before ? std::move(made) : std::nullopt;
}

json to_json(const risk_limits& l) {
  json out{{"gross_exposure_max", shown(l.gross_exposure_max)},
           {"daily_loss_max", shown(l.daily_loss_max)},
           {"drawdown_max_percent", shown(l.drawdown_max_percent)},
           {"open_orders_max", shown(l.open_orders_max)},
           {"orders_max", shown(l.orders_max)},
           {"orders_window_ms", l.orders_window_ms.count()},
           {"cash_required", l.cash_required},
           {"market_reserve_percent", to_string(l.market_reserve_percent)},
           {"fee_reserve_bps", to_string(l.fee_reserve_bps)},
           {"symbols", json::object()}};
  for (const auto& [symbol, s] : l.symbols) out["symbols"][symbol] = json_of(s);
  return out;
}

}  // namespace troupe::trading
