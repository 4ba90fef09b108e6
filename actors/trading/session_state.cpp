#include <nlohmann/json.hpp>

#include "actors/trading/session_slot.hpp"

namespace troupe::trading {

using nlohmann::json;

namespace {

[[noreturn]] void damaged(const std::string& what) {
  throw bad_state("session: " + what);
}

const json& field(const json& from, const char* name) {
  if (!from.is_object() || !from.contains(name)) damaged(std::string(name) + " is missing");
  return from.at(name);
}

std::string text(const json& from, const char* name) {
  const auto& at = field(from, name);
  if (!at.is_string()) damaged(std::string(name) + " is not a text");
  return at.get<std::string>();
}

std::int64_t integer(const json& from, const char* name) {
  const auto& at = field(from, name);
  if (!at.is_number_integer()) damaged(std::string(name) + " is not a whole number");
  return at.get<std::int64_t>();
}

bool flag(const json& from, const char* name) {
  const auto& at = field(from, name);
  if (!at.is_boolean()) damaged(std::string(name) + " is neither true nor false");
  return at.get<bool>();
}

fixed decimal(const json& from, const char* name) {
  const auto value = parse_fixed(text(from, name));
  if (!value) damaged(std::string(name) + " is not a decimal");
  return *value;
}

const json& list(const json& from, const char* name) {
  const auto& at = field(from, name);
  if (!at.is_array()) damaged(std::string(name) + " is not a list");
  return at;
}

template <class Enum>
Enum numbered(const json& from, const char* name, Enum last) {
  const auto value = integer(from, name);
  if (value < 0 || value > static_cast<std::int64_t>(last))
    damaged(std::string(name) + " is out of bounds");
  return static_cast<Enum>(value);
}

template <class Enum>
int number_of(Enum e) {
  return static_cast<int>(e);
}

json json_of(const instrument& i) {
  return {{"symbol", i.symbol},
          {"price_step", to_string(i.price_step)},
          {"quantity_step", to_string(i.quantity_step)},
          {"quantity_min", to_string(i.quantity_min)},
          {"quantity_max", to_string(i.quantity_max)},
          {"notional_min", to_string(i.notional_min)},
          {"notional_max", to_string(i.notional_max)},
          {"tradable", i.tradable}};
}

instrument instrument_of(const json& j) {
  instrument i{text(j, "symbol"),          decimal(j, "price_step"),   decimal(j, "quantity_step"),
               decimal(j, "quantity_min"), decimal(j, "quantity_max"), decimal(j, "notional_min"),
               decimal(j, "notional_max"), flag(j, "tradable")};
  if (i.price_step <= fixed() || i.quantity_step <= fixed()) damaged("a step is not above 0");
  return i;
}

json json_of(const decision_point& d) {
  return {{"offset", d.offset},
          {"time", to_micros(d.time)},
          {"last", to_string(d.last)},
          {"bid", to_string(d.bid)},
          {"ask", to_string(d.ask)}};
}

decision_point decision_point_of(const json& j) {
  return {integer(j, "offset"), from_micros(integer(j, "time")), decimal(j, "last"),
          decimal(j, "bid"), decimal(j, "ask")};
}

json json_of(const own_order& o) {
  return {{"number", o.number},
          {"id", o.id},
          {"side", number_of(o.side)},
          {"type", number_of(o.type)},
          {"limit", to_string(o.limit)},
          {"stop", to_string(o.stop)},
          {"quantity", to_string(o.quantity)},
          {"filled", to_string(o.filled)},
          {"status", number_of(o.status)}};
}

own_order own_order_of(const json& j) {
  return {integer(j, "number"),
          text(j, "id"),
          numbered(j, "side", side::sell),
          numbered(j, "type", order_type::trailing_stop),
          decimal(j, "limit"),
          decimal(j, "stop"),
          decimal(j, "quantity"),
          decimal(j, "filled"),
          numbered(j, "status", order_status::rejected)};
}

json json_of(const session_settings& s) {
  return {{"name", s.name},
          {"portfolio", s.portfolio},
          {"strategy", s.strategy},
          {"parameters", s.parameters},
          {"bars", name_of(s.bars)},
          {"size_by", number_of(s.size.by)},
          {"amount", to_string(s.size.amount)},
          {"venue_tells", s.venue_tells}};
}

given_parameters parameters_of(const json& j) {
  given_parameters all;
  if (!j.is_object()) damaged("parameters are not an object");
  for (const auto& [name, value] : j.items()) {
    if (!value.is_number()) damaged("parameter " + name + " is not a number");
    all[name] = value.get<double>();
  }
  return all;
}

session_settings settings_of(const json& j, const json& symbols) {
  const auto bars = market::parse_period(text(j, "bars"));
  if (!bars) damaged("bars is no period");
  session_settings s{text(j, "name"),
                     text(j, "portfolio"),
                     text(j, "strategy"),
                     parameters_of(field(j, "parameters")),
                     {},
                     *bars,
                     {numbered(j, "size_by", sizing::volatility_target), decimal(j, "amount")},
                     flag(j, "venue_tells")};
  for (const auto& one : symbols) s.instruments.push_back(instrument_of(field(one, "instrument")));
  if (const auto answer = check(s); answer.refusal != session_refusal::none) damaged(answer.detail);
  return s;
}

}  // namespace

std::string session::save() const {
  json symbols = json::array();
  for (const auto& s : slots_) {
    json open = json::array(), strategy = json::object(), volatility = json::object();
    for (const auto& order : s->desk.open_) open.push_back(json_of(order));
    state_fields fields(strategy, state_fields::way::save);
    s->strategy->state(fields);
    state_fields measured(volatility, state_fields::way::save);
    s->volatility.state(measured);
    symbols.push_back({{"instrument", json_of(s->view.rules)},
                       {"now", json_of(s->view.now)},
                       {"market", json::parse(s->market.save())},
                       {"strategy", std::move(strategy)},
                       {"volatility", std::move(volatility)},
                       {"position", to_string(s->desk.position_)},
                       {"open", std::move(open)},
                       {"cursor", s->cursor},
                       {"known", s->known}});
  }
  return json{{"settings", json_of(settings_)},
              {"phase", name_of(phase_)},
              {"last_number", last_number_},
              {"symbols", std::move(symbols)}}
      .dump();
}

std::unique_ptr<session> session::load(std::string_view state, int schema) {
  if (schema != session_schema) damaged("schema " + std::to_string(schema) + " is not known");
  auto j = json::parse(state, nullptr, false);
  const auto& symbols = list(j, "symbols");
  auto loaded = std::make_unique<session>(settings_of(field(j, "settings"), symbols));
  const auto phase = parse_name<session_phase>(text(j, "phase"));
  if (!phase) damaged("phase is none that there is");
  loaded->phase_ = *phase;
  loaded->last_number_ = integer(j, "last_number");
  for (std::size_t i = 0; i < symbols.size(); ++i) {
    auto& s = *loaded->slots_[i];
    auto from = symbols[i];
    s.view.now = decision_point_of(field(from, "now"));
    s.market.load(field(from, "market").dump());
    state_fields fields(from["strategy"], state_fields::way::load);
    s.strategy->state(fields);
    state_fields measured(from["volatility"], state_fields::way::load);
    s.volatility.state(measured);
    s.desk.position_ = decimal(from, "position");
    s.desk.active_ = *phase == session_phase::running;
    for (const auto& one : list(from, "open")) {
      s.desk.open_.push_back(own_order_of(one));
      s.unanswered += s.desk.open_.back().id.empty() ? 1 : 0;
    }
    s.cursor = integer(from, "cursor");
    s.known = integer(from, "known");
  }
  return loaded;
}

}  // namespace troupe::trading
