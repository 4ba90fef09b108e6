#include "actors/trading/session_entity.hpp"

#include <algorithm>

#include "actors/market/symbol_entity.hpp"
#include "actors/trading/messages.hpp"
#include "actors/trading/paper_venue.hpp"
#include "actors/trading/session_fields.hpp"
#include "runtime/base/ensure.hpp"
#include "runtime/codec/text.hpp"

namespace troupe::trading {

using nlohmann::json;

namespace {

struct approval {
  std::int64_t number = 0;
  std::string order;
  fixed quantity;
};
void read(field_reader& from, approval& to) {
  from.whole("number", to.number, 1, INT64_MAX)
      .text("order", to.order)
      .decimal("quantity", to.quantity, fixed::from_raw(1));
}

struct denial {
  std::int64_t number = 0;
  std::string refused, detail;
};
void read(field_reader& from, denial& to) {
  from.whole("number", to.number, 1, INT64_MAX)
      .text("refused", to.refused)
      .text("detail", to.detail, presence::optional);
}

struct venue_told {
  venue_choice venue = venue_choice::paper;
};
void read(field_reader& from, venue_told& to) {
  from.choice("venue", to.venue);
}

struct child {
  std::string symbol;
  own_order order;
};
void read(field_reader& from, child& to) {
  from.name("symbol", to.symbol);
  read_member(from, "order", to.order);
}

struct order_size {
  std::string order;
  fixed quantity;
};
void read(field_reader& from, order_size& to) {
  from.text("order", to.order).decimal("quantity", to.quantity, fixed());
}

struct order_change {
  std::int64_t number = 0;
  std::string order, reason;
  order_status status = order_status::pending;
};
void read(field_reader& from, order_change& to) {
  from.whole("number", to.number, 0, INT64_MAX, presence::optional)
      .text("order", to.order)
      .choice("status", to.status)
      .text("reason", to.reason, presence::optional);
}

struct order_fill {
  std::int64_t number = 0;
  fill what;
};
void read(field_reader& from, order_fill& to) {
  from.whole("number", to.number, 0, INT64_MAX, presence::optional);
  read_member(from, "fill", to.what);
}

/// What the trading entities tell each other has the right form: anything else is a defect of
/// theirs, or somebody meddles; refused by name either way.
template <class Value>
std::optional<Value> heard(const json& body, effects& out) {
  faults wrong;
  auto value = parse<Value>(body, wrong);
  if (value) return value;
  out.unchanged();
  out.reply({{"error", "malformed_message"}, {"detail", to_string(wrong)}});
  return std::nullopt;
}

std::string id_of(const message& what) {
  const auto id = what.body.find("id");
  const auto* text = id == what.body.end() ? nullptr : id->get_ptr<const std::string*>();
  return text != nullptr && is_name(*text) ? *text : "";
}

}  // namespace

session_entity::session_entity(std::string name, std::shared_ptr<const trading_options> environment)
    : name_(std::move(name)), environment_(std::move(environment)) {}

void session_entity::load(std::string_view state, int schema) {
  const auto stored = json::parse(state, nullptr, false);
  const auto is = [&stored](const char* name, bool (json::*kind)() const) {
    if (!stored.is_object() || !stored.contains(name) || !(stored[name].*kind)())
      throw bad_state(std::string("session: ") + name + " is missing or damaged");
  };
  for (const auto* name : {"created_at", "commanded_at"}) is(name, &json::is_number_integer);
  is("session", &json::is_object);
  for (const auto* name : {"from_now", "asks"}) is(name, &json::is_array);
  core_ = session::load(stored["session"].dump(), schema);
  venue_known_ = stored.value("venue_known", true);
  created_ = from_micros(stored["created_at"]);
  commanded_ = from_micros(stored["commanded_at"]);
  for (const auto& one : stored["from_now"]) from_now_.push_back(one == true);
  for (const auto& one : stored["asks"]) {
    if (!one.is_number_integer()) throw bad_state("session: asks are not numbers");
    asks_.push_back(one);
  }
  if (from_now_.size() != core_->symbols() || asks_.size() != core_->symbols())
    throw bad_state("session: from_now or asks have another number of symbols");
  awaited_.assign(core_->symbols(), -1);
}

std::string session_entity::save() const {
  ensure(core_ != nullptr, "only sessions that exist have a state");
  const json beside{{"created_at", to_micros(created_)},
                    {"commanded_at", to_micros(commanded_)},
                    {"venue_known", venue_known_},
                    {"from_now", from_now_},
                    {"asks", asks_}};
  auto text = beside.dump();
  text.back() = ',';
  return text + "\"session\":" + core_->save() + '}';
}

session_entity::hearing session_entity::hearing_of(std::string_view type) {
  static const std::map<std::string_view, hearing> all{
      {"portfolio_opened", &session_entity::hear_venue},
      {"order_approved", &session_entity::hear_approval},
      {"order_denied", &session_entity::hear_denial},
      {"child_placed", &session_entity::hear_child},
      {"order_resized", &session_entity::hear_size},
      {"order_changed", &session_entity::hear_change},
      {"order_filled", &session_entity::hear_fill},
      {"effects_known", &session_entity::hear_effects}};
  const auto found = all.find(type);
  return found == all.end() ? nullptr : found->second;
}

void session_entity::handle(const message& what, const context& where, effects& out) {
  if (what.type == "create") return create(what, where, out);
  const auto hear = hearing_of(what.type);
  if (hear == nullptr && !parse_name<session_command>(what.type)) {
    out.unchanged();
    return entity::handle(what, where, out);
  }
  if (core_ == nullptr)
    return refuse(what, "unknown_session", "there is no session " + name_, where, out);
  if (hear != nullptr) return (this->*hear)(what.body, out);
  command(what, where, out);
}

// ---- commands -----------------------------------------------------------------------------------

void session_entity::create(const message& what, const context& where, effects& out) {
  if (core_ != nullptr)
    return refuse(what, name_of(session_refusal::wrong_phase),
                  "session " + name_ + " is " + std::string(name_of(core_->phase())) +
                      " already; that phase allows " + commands_allowed(core_->phase()),
                  where, out);
  faults wrong;
  auto wish = read_create(what.body, name_, wrong);
  if (!wrong.empty()) return refuse(what, "malformed_command", to_string(wrong), where, out);
  const auto answer = complete(wish, environment_->limits);
  if (answer.refusal != session_refusal::none)
    return refuse(what, name_of(answer.refusal), answer.detail, where, out);
  core_ = std::make_unique<session>(std::move(wish.settings));
  for (std::size_t i = 0; i < core_->symbols() && !wish.start.from_now; ++i)
    core_->set_cursor(i, wish.start.offset - 1);
  from_now_.assign(core_->symbols(), wish.start.from_now);
  asks_.assign(core_->symbols(), 0);
  awaited_.assign(core_->symbols(), -1);
  created_ = where.now;
  venue_known_ = false;
  out.tell({"portfolio", core_->settings().portfolio},
           {"open_portfolio",
            {{"cash", to_string(environment_->cash_of(core_->settings().portfolio))},
             {"venue", name_of(environment_->venue)},
             {"session", name_}}});
  settle(what, "created", where, out);
}

void session_entity::command(const message& what, const context& where, effects& out) {
  const auto order = *parse_name<session_command>(what.type);
  session_effects wishes;
  const auto answer = core_->obey(order, wishes);
  if (answer.refusal != session_refusal::none)
    return refuse(what, name_of(answer.refusal), answer.detail, where, out);
  carry_out(wishes, out);
  if (order == session_command::stop) ask_no_more(out);
  settle(what, done_name(order), where, out);
}

void session_entity::settle(const message& what, std::string_view event, const context& where,
                            effects& out) {
  commanded_ = where.now;
  const auto phase = name_of(core_->phase());
  out.reply({{"session", name_}, {"phase", phase}});
  json told{{"session", name_},
            {"event", event},
            {"phase", phase},
            {"portfolio", core_->settings().portfolio},
            {"time", to_micros(where.now)}};
  if (auto id = id_of(what); !id.empty()) told["id"] = std::move(id);
  out.publish(session_events_topic, name_, told.dump());
  auto id = "session-" + name_ + '-';
  id.append(event).append(1, '-').append(std::to_string(to_micros(where.now)));
  tell_notice(environment_->notices.session_phases,
              {std::move(id), "session_phases", "session " + name_ + " is " + std::string(phase),
               std::move(told)},
              out);
}

void session_entity::refuse(const message& what, std::string_view error, const std::string& detail,
                            const context& where, effects& out) const {
  out.unchanged();
  constexpr std::size_t detail_max = 4 << 10;  // What is published must fit into a record.
  const auto why = cut(detail, detail_max);
  out.reply({{"error", error}, {"detail", why}});
  if (what.type != "create" && !parse_name<session_command>(what.type)) return;
  json told{{"session", name_},     {"event", "command_refused"},
            {"command", what.type}, {"error", error},
            {"detail", why},        {"time", to_micros(where.now)}};
  if (core_ != nullptr) told["phase"] = name_of(core_->phase());
  if (auto id = id_of(what); !id.empty()) told["id"] = std::move(id);
  out.publish(session_events_topic, name_,
              told.dump(-1, ' ', false, json::error_handler_t::replace));
}

// ---- answers ------------------------------------------------------------------------------------

/// It may have been opened before, for another venue than new portfolios are.
void session_entity::hear_venue(const json& body, effects& out) {
  const auto told = heard<venue_told>(body, out);
  if (!told || venue_known_) return;
  core_->set_venue_tells(told->venue == venue_choice::paper);
  venue_known_ = true;
}

void session_entity::hear_approval(const json& body, effects& out) {
  const auto told = heard<approval>(body, out);
  if (!told) return;
  session_effects wishes;
  core_->approved(told->number, told->order, told->quantity, wishes);
  carry_out(wishes, out);
  if (core_->phase() == session_phase::stopped) ask_no_more(out);
}

void session_entity::hear_denial(const json& body, effects& out) {
  if (const auto told = heard<denial>(body, out)) core_->denied(told->number);
}

void session_entity::hear_child(const json& body, effects& out) {
  const auto told = heard<child>(body, out);
  const auto symbol = told ? core_->index_of(told->symbol) : std::nullopt;
  if (!symbol) return;
  session_effects wishes;
  core_->child_placed(*symbol, told->order, wishes);
  carry_out(wishes, out);
  if (core_->phase() == session_phase::stopped) ask_no_more(out);
}

void session_entity::hear_size(const json& body, effects& out) {
  if (const auto told = heard<order_size>(body, out))
    core_->order_resized(told->order, told->quantity);
}

void session_entity::hear_change(const json& body, effects& out) {
  const auto told = heard<order_change>(body, out);
  if (!told) return;
  core_->order_changed(told->order, told->status);
  if (told->status != order_status::rejected) return;
  tell_notice(environment_->notices.session_failures,
              {"rejected-" + told->order,
               "session_failures",
               "session " + name_ + ": the venue rejected order " + told->order,
               {{"session", name_}, {"order", told->order}, {"reason", told->reason}}},
              out);
}

void session_entity::hear_fill(const json& body, effects& out) {
  const auto told = heard<order_fill>(body, out);
  if (!told) return;
  if (core_->index_of(told->what.symbol)) return core_->filled(told->what);
  out.unchanged();
  out.reply({{"error", "unknown_symbol"},
             {"detail", "session " + name_ + " does not trade " + told->what.symbol}});
}

/// An answer counts only when nothing has been decided or asked since the question.
void session_entity::hear_effects(const json& body, effects& out) {
  const auto told = heard<effects_question>(body, out);
  const auto symbol = told ? core_->index_of(told->symbol) : std::nullopt;
  if (symbol && told->ask == asks_[*symbol]) core_->effects_known(*symbol, told->known);
}

// ---- the market ---------------------------------------------------------------------------------

std::vector<followed> session_entity::follows() const {
  std::vector<followed> all;
  if (core_ == nullptr || !venue_known_ ||
      (core_->phase() != session_phase::running && core_->phase() != session_phase::paused))
    return all;
  for (std::size_t i = 0; i < core_->symbols(); ++i)
    all.push_back({{std::string(market::symbol_kind), core_->settings().instruments[i].symbol},
                   from_now_[i] ? feed_from_now : position{core_->cursor(i) + 1}});
  return all;
}

void session_entity::absorb_feed(const feed_span& what, std::size_t& done, const context& where,
                                 effects& out) {
  ensure(core_ && core_->index_of(what.of.key), "a session is fed what it follows");
  const auto symbol = core_->index_of(what.of.key).value_or(0);
  from_now_[symbol] = false;
  if (what.missing > 0) tell_missing(what, where, out);
  const auto* batch = dynamic_cast<const market::market_batch*>(what.events);
  ensure(batch != nullptr || what.events == nullptr, "symbols are fed by market batches");
  static const market::ohlcv no_detail;
  for (; batch != nullptr && done < what.end; ++done) {
    const auto& e = batch->events()[done];
    if (!core_->ready(symbol, e.offset)) return await_effects(symbol, e.offset, out);
    session_effects wishes;
    core_->take(symbol, e, e.kind < market::event_kind::ticker ? no_detail : batch->detail_of(e),
                wishes);
    carry_out(wishes, out);
  }
  core_->set_cursor(symbol, what.next.value() - 1);
}

/// The log lost records before the session could read them.
void session_entity::tell_missing(const feed_span& what, const context& where, effects& out) const {
  json told{
      {"session", name_},      {"event", "records_missing"}, {"phase", name_of(core_->phase())},
      {"symbol", what.of.key}, {"count", what.missing},      {"time", to_micros(where.now)}};
  out.publish(session_events_topic, name_, told.dump());
  tell_notice(environment_->notices.session_failures,
              {"missing-" + name_ + '-' + what.of.key + '-' + std::to_string(what.next.value()),
               "session_failures", "session " + name_ + " has lost market data of " + what.of.key,
               std::move(told)},
              out);
}

/// Requests first, so that they are judged before any of the cancels has been answered, whichever
/// way the answers take: as in a back-test.
void session_entity::carry_out(const session_effects& wishes, effects& out) const {
  const entity_id portfolio{"portfolio", core_->settings().portfolio};
  for (const auto& request : wishes.requests)
    out.tell({"risk", portfolio.key}, {"submit_order", json_of(request)});
  for (const auto& id : wishes.cancels)
    out.tell(portfolio, {"cancel_order", json_of(venue_cancel{id, view_of_order(id)})});
}

const decision_point& session_entity::view_of_order(std::string_view id) const {
  for (std::size_t i = 0; i < core_->symbols(); ++i)
    for (const auto& order : core_->open_orders(i))
      if (order.id == id) return core_->view(i).now;
  ensure(false, "a session cancels its own open orders");
  return core_->view(0).now;
}

/// Asks, by way of the portfolio so that no order is overtaken, what its orders have come to until
/// this event.
void session_entity::await_effects(std::size_t symbol, std::int64_t offset, effects& out) {
  const auto& open = core_->open_orders(symbol);
  const bool unanswered =
      std::any_of(open.begin(), open.end(), [](const auto& o) { return o.id.empty(); });
  if (!core_->settings().venue_tells || awaited_[symbol] >= offset) return;
  if (open.empty() && !core_->waits_for_effects(symbol)) return;
  if (unanswered && offset != paper_venue::no_limit) return;
  awaited_[symbol] = offset;
  core_->effects_awaited(symbol, offset);
  const auto& settings = core_->settings();
  out.tell({"portfolio", settings.portfolio},
           {"await_effects",
            json_of(effects_question{settings.portfolio, name_, settings.instruments[symbol].symbol,
                                     ++asks_[symbol], offset})});
}

/// It takes no more events: the venue need not wait for it.
void session_entity::ask_no_more(effects& out) {
  for (std::size_t i = 0; i < core_->symbols(); ++i) {
    awaited_[i] = -1;
    await_effects(i, paper_venue::no_limit, out);
  }
}

namespace {

/// What a session cannot take, a defect of its strategy most likely, is news.
void tell_quarantined(const std::vector<std::string>& channels, const failed_input& what,
                      effects& out) {
  constexpr std::size_t key_max = 64, reason_max = 4 << 10;
  auto id = "quarantined-" + what.of.key + '-' + what.source + '-' + std::to_string(what.place);
  if (what.place == 0) id.append(1, '-').append(cut(what.key, key_max));
  tell_notice(channels,
              {std::move(id),
               "session_failures",
               "session " + what.of.key + " failed on an input, which is quarantined",
               {{"session", what.of.key},
                {"source", what.source},
                {"place", what.place},
                {"reason", cut(what.reason, reason_max)}}},
              out);
}

}  // namespace

kind_def make_session_kind(std::shared_ptr<const trading_options> environment) {
  kind_def kind;
  kind.name = session_kind;
  kind.schema = session_schema;
  kind.follows = true;
  kind.when_quarantined = [channels = environment->notices.session_failures](
                              const failed_input& what, effects& out) {
    tell_quarantined(channels, what, out);
  };
  kind.make = [environment = std::move(environment)](const entity_id& id) {
    return std::make_unique<session_entity>(id.key, environment);
  };
  return kind;
}

}  // namespace troupe::trading
