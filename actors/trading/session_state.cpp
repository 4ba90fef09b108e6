#include "actors/trading/messages.hpp"
#include "actors/trading/session_fields.hpp"
#include "actors/trading/session_slot.hpp"

namespace troupe::trading {

using nlohmann::json;

static constexpr std::int64_t offset_max = INT64_MAX;

// Not in the namespace without a name: `parse` looks for them where their types are.

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

void read(field_reader& from, instrument& to) {
  constexpr auto least = fixed::from_raw(1);
  from.text("symbol", to.symbol)
      .decimal("price_step", to.price_step, least)
      .decimal("quantity_step", to.quantity_step, least)
      .decimal("quantity_min", to.quantity_min, fixed())
      .decimal("quantity_max", to.quantity_max, fixed())
      .decimal("notional_min", to.notional_min, fixed())
      .decimal("notional_max", to.notional_max, fixed())
      .flag("tradable", to.tradable);
}

json json_of(const own_order& o) {
  json out{{"number", o.number},
           {"id", o.id},
           {"side", name_of(o.side)},
           {"type", name_of(o.type)},
           {"limit", to_string(o.limit)},
           {"stop", to_string(o.stop)},
           {"quantity", to_string(o.quantity)},
           {"filled", to_string(o.filled)},
           {"status", name_of(o.status)}};
  if (o.child) out["child"] = true;
  return out;
}

void read(field_reader& from, own_order& to) {
  from.whole("number", to.number, 1, offset_max)
      .text("id", to.id)
      .choice("side", to.side, presence::required)
      .choice("type", to.type, presence::required)
      .decimal("limit", to.limit, fixed())
      .decimal("stop", to.stop, fixed())
      .decimal("quantity", to.quantity, fixed())
      .decimal("filled", to.filled, fixed())
      .choice("status", to.status, presence::required)
      .flag("child", to.child);
}

json json_of(const session_settings& s) {
  return {{"name", s.name},
          {"portfolio", s.portfolio},
          {"strategy", s.strategy},
          {"parameters", s.parameters},
          {"bars", name_of(s.bars)},
          {"size_by", name_of(s.size.by)},
          {"amount", to_string(s.size.amount)},
          {"venue_tells", s.venue_tells}};
}

void read(field_reader& from, session_settings& to) {
  std::string bars;
  from.text("name", to.name).text("portfolio", to.portfolio).text("strategy", to.strategy);
  from.text("bars", bars).choice("size_by", to.size.by, presence::required);
  from.decimal("amount", to.size.amount, fixed()).flag("venue_tells", to.venue_tells);
  if (const auto period = market::parse_period(bars))
    to.bars = *period;
  else
    from.refuse("bars", "must be a bar period");
  const auto* const parameters = from.member("parameters", presence::required);
  if (parameters == nullptr || !parameters->is_object()) return;
  for (const auto& [name, value] : parameters->items())
    if (value.is_number())
      to.parameters[name] = value.get<double>();
    else
      from.refuse("parameters", "must be numbers");
}

namespace {

/// What of a session's state has a form of its own.
struct saved_symbol {
  instrument rules;
  decision_point now;
  fixed position;
  std::vector<own_order> open;
  std::int64_t cursor = -1, known = -1, awaited = -1;
  json market, strategy, volatility;
};

void read(field_reader& from, saved_symbol& to) {
  read_member(from, "instrument", to.rules);
  read_member(from, "now", to.now);
  from.decimal("position", to.position, fixed::from_raw(INT64_MIN));
  from.whole("cursor", to.cursor, -1, offset_max)
      .whole("known", to.known, -1, offset_max)
      .whole("awaited", to.awaited, -1, offset_max, presence::optional);
  for (const auto& [name, target] : {std::pair{"market", &to.market},
                                     {"strategy", &to.strategy},
                                     {"volatility", &to.volatility}})
    if (const auto* const inside = from.member(name, presence::required)) *target = *inside;
  const auto* const open = from.member("open", presence::required);
  if (open == nullptr) return;
  if (!open->is_array()) return from.refuse("open", "must be a list");
  for (const auto& one : *open)
    if (auto order = parse<own_order>(one, from.wrong(), from.path_of("open")))
      to.open.push_back(std::move(*order));
}

struct saved_session {
  session_settings settings;
  session_phase phase{};
  std::int64_t last_number = 0;
  std::vector<saved_symbol> symbols;
};

void read(field_reader& from, saved_session& to) {
  read_member(from, "settings", to.settings);
  from.choice("phase", to.phase, presence::required);
  from.whole("last_number", to.last_number, 0, offset_max);
  const auto* const symbols = from.member("symbols", presence::required);
  if (symbols == nullptr) return;
  if (!symbols->is_array()) return from.refuse("symbols", "must be a list");
  for (const auto& one : *symbols)
    if (auto symbol = parse<saved_symbol>(one, from.wrong(), from.path_of("symbols"))) {
      to.settings.instruments.push_back(symbol->rules);
      to.symbols.push_back(std::move(*symbol));
    }
}

saved_session parse_state(std::string_view state) {
  faults wrong;
  auto saved = parse<saved_session>(json::parse(state, nullptr, false), wrong);
  if (!saved) throw bad_state("session: " + to_string(wrong));
  if (const auto answer = check(saved->settings); answer.refusal != session_refusal::none)
    throw bad_state("session: " + answer.detail);
  return std::move(*saved);
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
                       {"now", trading::json_of(s->view.now)},
                       {"market", json::parse(s->market.save())},
                       {"strategy", std::move(strategy)},
                       {"volatility", std::move(volatility)},
                       {"position", to_string(s->desk.position_)},
                       {"open", std::move(open)},
                       {"cursor", s->cursor},
                       {"known", s->known},
                       {"awaited", s->awaited}});
  }
  return json{{"settings", json_of(settings_)},
              {"phase", name_of(phase_)},
              {"last_number", last_number_},
              {"symbols", std::move(symbols)}}
      .dump();
}

std::unique_ptr<session> session::load(std::string_view state, int schema) {
  if (schema != session_schema)
    throw bad_state("session: schema " + std::to_string(schema) + " is not known");
  auto saved = parse_state(state);
  auto loaded = std::make_unique<session>(std::move(saved.settings));
  loaded->phase_ = saved.phase;
  loaded->last_number_ = saved.last_number;
  for (std::size_t i = 0; i < saved.symbols.size(); ++i) {
    auto& from = saved.symbols[i];
    auto& s = *loaded->slots_[i];
    s.view.now = from.now;
    s.market.load(from.market.dump());
    state_fields fields(from.strategy, state_fields::way::load);
    s.strategy->state(fields);
    state_fields measured(from.volatility, state_fields::way::load);
    s.volatility.state(measured);
    s.desk.position_ = from.position;
    s.desk.active_ = saved.phase == session_phase::running;
    s.desk.open_ = std::move(from.open);
    for (const auto& order : s.desk.open_) s.unanswered += order.id.empty() ? 1 : 0;
    s.cursor = from.cursor;
    s.known = from.known;
    s.awaited = from.awaited;
  }
  return loaded;
}

}  // namespace troupe::trading
