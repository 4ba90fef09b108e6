#include "actors/trading/risk_entity.hpp"

#include "actors/market/market_decoder.hpp"
#include "actors/trading/names.hpp"
#include "actors/trading/portfolio.hpp"
#include "actors/trading/trading_tables.hpp"

namespace troupe::trading {

namespace {

using nlohmann::json;

json refused(const faults& wrong) {
  json out{{"error", "malformed"}, {"faults", json::array()}};
  for (const auto& f : wrong) out["faults"].push_back(to_string(f));
  return out;
}

/// Who orders a change, and why.
void read_order(field_reader& from, std::string& by, std::string& reason) {
  from.name("by", by).text("reason", reason, presence::optional);
}

/// Sessions have been checked when they were created; people may write anything.
void check_by_hand(const json& body, const order_request& request, faults& wrong) {
  field_reader fields(body, "", wrong);
  if (!is_by_hand(request.session))
    fields.refuse("session", "must be " + std::string(by_hand) + " or begin with it, of " +
                                 std::string(trading_names_text));
  if (!market::is_symbol(request.symbol))
    fields.refuse("symbol", "must have " + std::string(market::symbols_text));
  if (request.paced) fields.refuse("paced", "must be left out: it is for sessions");
}

notice denial_notice(const std::string& portfolio, const order_request& request,
                     const verdict& given) {
  const std::string why(name_of(given.refused));
  return {"denial-" + portfolio + '-' + std::to_string(given.number),
          "risk_denials",
          "order " + std::to_string(request.number) + " of session " + request.session +
              " is refused: " + why,
          {{"portfolio", portfolio},
           {"session", request.session},
           {"number", request.number},
           {"verdict", given.number},
           {"refused", why},
           {"detail", given.detail}}};
}

}  // namespace

bool refuse_portfolio_name(const context& where, effects& out) {
  if (is_trading_name(where.self.key)) return false;
  out.unchanged();
  out.reply({{"error", "bad_name"},
             {"detail", "the name of a portfolio must be " + std::string(trading_names_text)}});
  return true;
}

void risk_entity::load(std::string_view state, int schema) {
  if (schema < 1 || schema > risk::schema)
    throw bad_state("risk: schema " + std::to_string(schema) + " is not known");
  const auto from = json::parse(state, nullptr, false);
  faults wrong;
  field_reader fields(from, "", wrong);
  const auto* core = fields.member("risk", presence::required);
  facts_change facts;
  read_member(fields, "facts", facts);
  fields.whole("changes", changes_, 0, INT64_MAX).finish();
  if (!wrong.empty()) throw bad_state("risk: " + to_string(wrong));
  risk_ = risk::load(core->dump(), schema);
  facts_ = {};
  apply(facts, facts_);
}

std::string risk_entity::save() const {
  return json{{"risk", json::parse(risk_.save())},
              {"facts", json_of(all_of(facts_))},
              {"changes", changes_}}
      .dump();
}

void risk_entity::handle(const message& what, const context& where, effects& out) {
  if (refuse_portfolio_name(where, out)) return;
  if (what.type == "submit_order" || what.type == "submit_order_by_hand")
    return submit(what, where, out);
  if (what.type == "portfolio_changed") return follow(what, where, out);
  if (what.type == "set_limits") return set_limits(what, where, out);
  if (what.type == "set_state") return set_state(what, where, out);
  if (what.type != "show") return entity::handle(what, where, out);
  out.unchanged();
  out.reply(json::parse(save()));
}

void risk_entity::submit(const message& what, const context& where, effects& out) {
  faults wrong;
  const auto request = parse<order_request>(what.body, wrong);
  if (request && what.type == "submit_order_by_hand") check_by_hand(what.body, *request, wrong);
  if (!wrong.empty()) {
    out.unchanged();
    return out.reply(refused(wrong));
  }
  const auto before = risk_.state();
  const auto given = risk_.decide(*request, facts_);
  out.reply(json_of(given));
  if (given.refused == risk_refusal::duplicate) return out.unchanged();
  if (before != risk_.state()) halt_by_drawdown(before, request->decided, where, out);
  add_row(out.rows(verdict_table), where.self.key, *request, given);
  if (given.approved())
    return out.tell({std::string(portfolio_kind), where.self.key},
                    {"place_order", json_of(placement{*request, given})});
  out.tell({std::string(session_kind), request->session}, {"order_denied",
                                                           {{"number", request->number},
                                                            {"refused", name_of(given.refused)},
                                                            {"detail", given.detail}}});
  tell_notice(rules_.risk_denials, denial_notice(where.self.key, *request, given), out);
}

void risk_entity::follow(const message& what, const context& where, effects& out) {
  faults wrong;
  const auto change = parse<facts_change>(what.body, wrong);
  if (!change) {
    out.unchanged();
    return out.reply(refused(wrong));
  }
  apply(*change, facts_);
  if (change->time == time_point{}) return;
  const auto before = risk_.state();
  if (risk_.observe(facts_)) halt_by_drawdown(before, {change->offset, change->time}, where, out);
}

void risk_entity::halt_by_drawdown(trading_state before, const decision_point& at,
                                   const context& where, effects& out) {
  audit(where, "state", std::string(name_of(before)), "halted",
        {{"by", "risk"}, {"reason", "drawdown"}}, out);
  decision_point decided;
  decided.offset = at.offset;
  decided.time = at.time;
  out.tell({std::string(portfolio_kind), where.self.key},
           {"cancel_orders",
            {{"scope", name_of(cancel_scope::opening)}, {"decided", json_of(decided)}}});
}

void risk_entity::set_limits(const message& what, const context& where, effects& out) {
  faults wrong;
  std::string by, reason;
  field_reader fields(what.body, "", wrong);
  read_order(fields, by, reason);
  const auto* change = fields.member("limits", presence::required);
  fields.finish();
  const auto before = to_json(risk_.limits());
  std::optional<risk_limits> limits;
  if (change != nullptr && wrong.empty()) limits = parse_change(before, *change, wrong);
  if (!limits) {
    out.unchanged();
    return out.reply(refused(wrong));
  }
  risk_.set_limits(*limits);
  const auto after = to_json(risk_.limits());
  audit(where, "limits", before.dump(), after.dump(), what.body, out);
  out.reply({{"limits", after}});
}

void risk_entity::set_state(const message& what, const context& where, effects& out) {
  faults wrong;
  std::string by, reason;
  trading_state to = trading_state::active;
  bool cancels = false;
  field_reader fields(what.body, "", wrong);
  read_order(fields, by, reason);
  fields.choice("state", to).flag("cancel_orders", cancels).finish();
  if (cancels && to == trading_state::active)
    fields.refuse("cancel_orders", "must go with state halted or reducing");
  if (!wrong.empty()) {
    out.unchanged();
    return out.reply(refused(wrong));
  }
  const auto before = name_of(risk_.state());
  const auto open = facts_.open_orders;
  risk_.set_state(to);
  audit(where, "state", std::string(before), std::string(name_of(to)), what.body, out);
  if (cancels && open > 0) {
    audit(where, "open_orders", std::to_string(open), "asked to cancel", what.body, out);
    out.tell({std::string(portfolio_kind), where.self.key}, {"cancel_orders", json::object()});
  }
  out.reply({{"state", name_of(to)}, {"open_orders", open}, {"cancel_orders", cancels}});
}

void risk_entity::audit(const context& where, std::string_view what, const std::string& before,
                        const std::string& after, const json& order, effects& out) {
  add_row(out.rows(risk_change_table),
          {where.self.key, ++changes_, where.now, what, before, after,
           order.value("by", std::string()), order.value("reason", std::string())});
  if (what != "state") return;
  const auto& portfolio = where.self.key;
  tell_notice(rules_.halts,
              {"state-" + portfolio + '-' + std::to_string(changes_),
               "halts",
               "trading of portfolio " + portfolio + " is " + after,
               {{"portfolio", portfolio},
                {"before", before},
                {"state", after},
                {"by", order.value("by", "")},
                {"reason", order.value("reason", "")}}},
              out);
}

kind_def make_risk_kind(std::function<risk_limits(std::string_view portfolio)> limits,
                        notice_rules rules) {
  kind_def kind;
  kind.name = risk_kind;
  kind.schema = risk::schema;
  kind.make = [limits = std::move(limits), rules = std::move(rules)](const entity_id& id) {
    return std::make_unique<risk_entity>(limits(id.key), rules);
  };
  return kind;
}

}  // namespace troupe::trading
