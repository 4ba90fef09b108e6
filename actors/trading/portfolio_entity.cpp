#include "actors/trading/portfolio_entity.hpp"

#include "actors/trading/paper_venue.hpp"
#include "actors/trading/session_fields.hpp"
#include "actors/trading/trading_tables.hpp"
#include "runtime/codec/text.hpp"

namespace troupe::trading {

namespace {

using nlohmann::json;

json refused(const faults& wrong) {
  json out{{"error", "malformed"}, {"faults", json::array()}};
  for (const auto& f : wrong) out["faults"].push_back(to_string(f));
  return out;
}

void refuse(const faults& wrong, effects& out) {
  out.unchanged();
  out.reply(refused(wrong));
}

/// How many ended orders are kept for late reports. All of them are in the state, which every
/// commit writes. The paper venue says nothing of an order after its end.
constexpr std::int64_t ended_max_of(venue_choice venue) {
  return venue == venue_choice::paper ? 20 : 200;
}

void put_dead_letter(const json& report, std::string_view why, const std::string& detail,
                     const context& where, effects& out) {
  const auto source = std::string(portfolio_kind) + '/' + where.self.key;
  const auto payload = report.dump(-1, ' ', true, json::error_handler_t::replace);
  out.publish(dead_letter_topic, where.self.key,
              dead_letter_json({source, 0, -1, why, detail, where.self.key, payload, where.now}));
}

notice notice_of(const order& o, const fill& f) {
  auto facts = json_of(f);
  facts["portfolio"] = o.terms.portfolio;
  facts["session"] = o.session;
  std::string text(name_of(f.side));
  text.append(1, ' ').append(to_string(f.quantity)).append(1, ' ').append(f.symbol);
  text.append(" at ").append(to_string(f.price)).append(", order ").append(f.order);
  return {"fill-" + f.order + '-' + f.id, "fills", std::move(text), std::move(facts)};
}

}  // namespace

/// Turns what the portfolio brings forth into rows and messages.
class portfolio_entity::outlet final : public portfolio_listener {
 public:
  outlet(portfolio_entity& of, effects& out) : of_(of), out_(out) {}

  void order_placed(const order& o) override {
    put_row(o);
    to_venue(o, "new_order", json_of(o.terms));
    if (o.verdict == 0)
      return to_session(o, "child_placed",
                        {{"symbol", o.terms.symbol}, {"order", json_of(child_of(o))}});
    to_session(
        o, "order_approved",
        {{"number", o.request}, {"order", o.terms.id}, {"quantity", to_string(o.terms.quantity)}});
  }
  void cancel_asked(const order& o, const decision_point& decided) override {
    put_row(o);
    to_venue(o, "cancel_order", json_of(venue_cancel{o.terms.id, decided}));
  }
  void quantity_changed(const order& o) override {
    put_row(o);
    to_venue(o, "change_order", json_of(venue_change{o.terms.id, o.terms.quantity, o.updated}));
    to_session(o, "order_resized",
               {{"order", o.terms.id}, {"quantity", to_string(o.terms.quantity)}});
  }
  void order_filled(const order& o, const fill& f) override {
    of_.touched_.insert(o.symbol.value());
    // If the drawdown limit cancels orders now, that belongs to the effects of the fill's event.
    if (of_.core_.facts().open_orders > 0) unsettle(o);
    add_row(out_.rows(fill_table), of_.core_.settings().name, o, f);
    to_session(o, "order_filled", {{"number", o.request}, {"fill", json_of(f)}});
    tell_notice(of_.fill_channels_, notice_of(o, f), out_);
  }
  void order_changed(const order& o) override {
    put_row(o);
    to_session(o, "order_changed",
               {{"number", o.request},
                {"order", o.terms.id},
                {"status", name_of(o.status)},
                {"reason", o.reason}});
  }

 private:
  void put_row(const order& o) {
    of_.touched_.insert(o.symbol.value());
    add_row(out_.rows(order_table), o, ++of_.changes_);
  }
  void unsettle(const order& o) {
    if (!o.terms.paced_by.empty()) of_.unsettled_.emplace(o.terms.paced_by, o.terms.symbol);
  }
  void to_session(const order& o, const char* type, json body) {
    out_.tell({std::string(session_kind), o.session}, {type, std::move(body)});
  }
  void to_venue(const order& o, const char* type, json body) {
    unsettle(o);
    if (of_.venue_ == venue_choice::paper)
      return out_.tell({std::string(paper_venue_kind), o.terms.symbol}, {type, std::move(body)});
    const json record{{"type", type}, {"body", std::move(body)}};
    out_.publish(orders_topic, o.terms.portfolio, record.dump());
  }

  portfolio_entity& of_;
  effects& out_;
};

void portfolio_entity::load(std::string_view state, int schema) {
  if (schema != portfolio::schema)
    throw bad_state("portfolio: schema " + std::to_string(schema) + " is not known");
  auto from = json::parse(state, nullptr, false);
  faults wrong;
  field_reader fields(from, "", wrong);
  fields.choice("venue", venue_).whole("changes", changes_, 0, INT64_MAX);
  if (const auto* unsettled = fields.member("unsettled"))
    for (const auto& one : *unsettled)
      if (one.is_array() && one.size() == 2 && one[0].is_string() && one[1].is_string())
        unsettled_.emplace(one[0].get<std::string>(), one[1].get<std::string>());
  if (!wrong.empty()) throw bad_state("portfolio: " + to_string(wrong));
  for (const auto* name : {"venue", "changes", "unsettled"}) from.erase(name);
  core_ = portfolio::load(from.dump());
}

/// The core's members, which the views read, and two of its own.
std::string portfolio_entity::save() const {
  json beside{{"venue", name_of(venue_)}, {"changes", changes_}};
  if (!unsettled_.empty()) beside["unsettled"] = unsettled_;
  auto text = core_.save();
  text.back() = ',';
  return text + beside.dump().substr(1);
}

void portfolio_entity::handle(const message& what, const context& where, effects& out) {
  if (refuse_portfolio_name(where, out)) return;
  if (what.type == "place_order") return place(what, where, out);
  if (what.type == "order_reports") return take_reports(what, where, out);
  if (what.type == "cancel_order") return cancel(what, where, out);
  if (what.type == "cancel_orders") return cancel_many(what, where, out);
  if (what.type == "open_portfolio") return open(what, where, out);
  if (what.type == "await_effects") return pass_question(what, out);
  if (what.type == "effects_known") return pass_answer(what, out);
  if (what.type != "show") return entity::handle(what, where, out);
  out.unchanged();
  out.reply(json::parse(save()));
}

void portfolio_entity::open(const message& what, const context& where, effects& out) {
  faults wrong;
  auto settings = core_.settings();
  auto venue = venue_choice::paper;
  std::string session;
  field_reader fields(what.body, "", wrong);
  fields.decimal("cash", settings.cash, fixed{})
      .choice("venue", venue, presence::optional)
      .name("session", session, presence::optional)
      .finish();
  if (!wrong.empty()) return refuse(wrong, out);
  const bool same = settings.cash == core_.settings().cash && venue == venue_;
  if (!same && (core_.facts().placed > 0 || core_.settings().cash != fixed{})) {
    out.unchanged();
    const auto cash = to_string(core_.settings().cash);
    out.reply({{"error", "already_open"},
               {"detail", "it began with cash " + cash + " at the venue " +
                              std::string(name_of(venue_)) + ", and neither can be changed"},
               {"cash", cash}});
  } else {
    settings.ended_max = ended_max_of(venue);
    if (!same) core_ = portfolio(settings);
    venue_ = venue;
    tell_risk(where, {}, out);
    out.reply({{"cash", to_string(settings.cash)}, {"venue", name_of(venue)}});
  }
  if (!session.empty())
    out.tell({std::string(session_kind), session},
             {"portfolio_opened", {{"venue", name_of(venue_)}}});
}

void portfolio_entity::place(const message& what, const context& where, effects& out) {
  faults wrong;
  const auto asked = parse<placement>(what.body, wrong);
  if (!asked) return refuse(wrong, out);
  if (!asked->approved.approved() || asked->approved.number <= core_.facts().placed) {
    out.unchanged();
    return out.reply({{"error", "not_a_new_approval"}, {"number", asked->approved.number}});
  }
  outlet to(*this, out);
  core_.place(asked->request, asked->approved, to);
  tell_risk(where, {}, out);
}

void portfolio_entity::cancel(const message& what, const context& where, effects& out) {
  faults wrong;
  auto asked = parse<venue_cancel>(what.body, wrong);
  if (!asked) return refuse(wrong, out);
  if (asked->decided.time == time_point{}) asked->decided.time = where.now;
  outlet to(*this, out);
  const auto number = core_.number_of(asked->order);
  const auto why =
      number ? core_.cancel(*number, asked->decided, to) : portfolio_refusal::unknown_order;
  out.reply({{"order", asked->order}, {"refused", name_of(why)}});
  if (why != portfolio_refusal::none) return out.unchanged();
  tell_risk(where, {}, out);
}

void portfolio_entity::cancel_many(const message& what, const context& where, effects& out) {
  faults wrong;
  std::string session;
  decision_point decided;
  auto scope = cancel_scope::all;
  field_reader fields(what.body, "", wrong);
  fields.name("session", session, presence::optional).choice("scope", scope, presence::optional);
  read_member(fields, "decided", decided, presence::optional);
  fields.finish();
  if (!wrong.empty()) return refuse(wrong, out);
  if (decided.time == time_point{}) decided.time = where.now;
  outlet to(*this, out);
  out.reply({{"asked", core_.cancel_all(session, decided, to, scope)}});
  tell_risk(where, {}, out);
}

void portfolio_entity::take_reports(const message& what, const context& where, effects& out) {
  faults wrong;
  std::string symbol;
  field_reader fields(what.body, "", wrong);
  fields.name("symbol", symbol, presence::optional);
  const auto* reports = fields.member("reports", presence::required);
  fields.finish();
  if (reports != nullptr && !reports->is_array())
    fields.refuse("reports", "must be a list of reports");
  if (!wrong.empty()) {
    put_dead_letter(what.body, "malformed", to_string(wrong), where, out);
    return refuse(wrong, out);
  }
  outlet to(*this, out);
  auto answers = json::array();
  for (const auto& one : *reports) {
    faults faulty;
    const auto report = parse<order_report>(one, faulty);
    const auto why = report ? core_.take(*report, to) : portfolio_refusal::none;
    answers.push_back(report ? std::string(name_of(why)) : to_string(faulty));
    if (!report) put_dead_letter(one, "malformed", to_string(faulty), where, out);
    if (why != portfolio_refusal::none && why != portfolio_refusal::repeated)
      put_dead_letter(one, name_of(why), report->order, where, out);
    if (!report || report->what != report_kind::filled || why != portfolio_refusal::none) continue;
    // Each fill by itself, as in a back-test: the drawdown limit looks at equity after each. An
    // external venue may tell of one without a time.
    const auto time = report->time == time_point{} ? where.now : report->time;
    tell_risk(where, {report->offset, time}, out);
  }
  if (!touched_.empty()) tell_risk(where, {}, out);
  out.reply({{"refused", std::move(answers)}});
}

/// Behind all orders that the session has asked for.
void portfolio_entity::pass_question(const message& what, effects& out) {
  faults wrong;
  const auto asked = parse<effects_question>(what.body, wrong);
  if (!asked) return refuse(wrong, out);
  unsettled_.erase({asked->session, asked->symbol});
  out.tell({std::string(paper_venue_kind), asked->symbol}, what);
}

/// When the reports before the answer have led to something at the venue, or may have (a bracket's
/// children, a group's cancels, those of the drawdown limit), what that comes to is waited for.
void portfolio_entity::pass_answer(const message& what, effects& out) {
  faults wrong;
  auto told = parse<effects_question>(what.body, wrong);
  if (!told) return refuse(wrong, out);
  if (unsettled_.erase({told->session, told->symbol}) == 0)
    return out.tell({std::string(session_kind), told->session}, what);
  told->known = -1;
  out.tell({std::string(paper_venue_kind), told->symbol}, {"await_effects", json_of(*told)});
}

void portfolio_entity::tell_risk(const context& where, const decision_point& filled, effects& out) {
  const auto& facts = core_.facts();
  auto change = all_but_symbols(facts);
  change.offset = filled.offset;
  change.time = filled.time;
  for (const auto i : touched_)
    change.symbols.push_back({facts.names.name(symbol_index{i}), facts.symbols[i]});
  touched_.clear();
  out.tell({std::string(risk_kind), where.self.key}, {"portfolio_changed", json_of(change)});
}

kind_def make_portfolio_kind(std::vector<std::string> fill_channels) {
  kind_def kind;
  kind.name = portfolio_kind;
  kind.schema = portfolio::schema;
  kind.make = [channels = std::move(fill_channels)](const entity_id& id) {
    return std::make_unique<portfolio_entity>(id, channels);
  };
  return kind;
}

}  // namespace troupe::trading
