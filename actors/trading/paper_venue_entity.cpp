#include "actors/trading/paper_venue_entity.hpp"

#include "actors/market/symbol_entity.hpp"
#include "actors/trading/risk_entity.hpp"
#include "runtime/base/ensure.hpp"

namespace troupe::trading {

using nlohmann::json;

void paper_venue_entity::load(std::string_view state, int schema) {
  core_.load(state, schema);
}

void paper_venue_entity::handle(const message& what, const context& where, effects& out) {
  paper_venue::output said;
  faults wrong;
  if (what.type == "new_order") {
    if (const auto order = parse<venue_order>(what.body, wrong))
      core_.take(*order, said, where.now);
  } else if (what.type == "cancel_order") {
    if (const auto wish = parse<venue_cancel>(what.body, wrong))
      core_.cancel(*wish, said, where.now);
  } else if (what.type == "change_order") {
    if (const auto wish = parse<venue_change>(what.body, wrong)) core_.change(*wish, said);
  } else if (what.type == "await_effects") {
    if (const auto asked = parse<effects_question>(what.body, wrong)) core_.await(*asked, said);
  } else if (what.type == "end_overdue") {
    alarm_.reset();
    core_.end_overdue(where.now, said);
  } else {
    out.unchanged();
    if (what.type != "show") return entity::handle(what, where, out);
    return out.reply(json::parse(save()));
  }
  if (!wrong.empty()) {
    out.unchanged();
    return out.reply({{"error", "malformed"}, {"detail", to_string(wrong)}});
  }
  send(std::move(said), where, out);
}

std::vector<followed> paper_venue_entity::follows() const {
  const auto next = core_.next();
  if (!next) return {};
  return {{{std::string(market::symbol_kind), core_.symbol()}, troupe::position{*next}}};
}

void paper_venue_entity::absorb_feed(const feed_span& what, std::size_t& done, const context& where,
                                     effects& out) {
  const auto* batch = dynamic_cast<const market::market_batch*>(what.events);
  ensure(batch != nullptr || what.events == nullptr, "symbols are fed by market batches");
  paper_venue::output said;
  const bool asked_for_end = core_.next() == paper_venue::from_now;
  if (what.missing > 0)
    core_.lost((batch != nullptr && done < what.end ? batch->at(done) : what.next).value(), said);
  if (batch != nullptr) core_.absorb(*batch, done, what.end, said);
  if (batch == nullptr || done == what.end) core_.passed(what.next.value());
  if (asked_for_end) out.follows_changed();  // Others may stand further back.
  send(std::move(said), where, out);
}

/// Wakes the venue when the clock ends its first order, and where that has passed, after a while.
void paper_venue_entity::set_alarm(const context& where, effects& out) {
  auto due = core_.clock_end();
  if (due && *due <= where.now) due = alarm_ ? *alarm_ : where.now + paper_venue::silence;
  if (due == alarm_) return;
  alarm_ = due;
  if (!due) return out.cancel_timer("end");
  out.set_timer("end", *due, {"end_overdue", nlohmann::json::object()});
}

/// One message a portfolio with all reports, and then the answers.
void paper_venue_entity::send(paper_venue::output&& said, const context& where, effects& out) {
  std::map<std::string, json> reports;
  for (const auto& r : said.reports) reports[portfolio_of(r.order)].push_back(json_of(r));
  for (auto& [portfolio, list] : reports)
    out.tell({std::string(portfolio_kind), portfolio},
             {"order_reports", {{"symbol", where.self.key}, {"reports", std::move(list)}}});
  for (const auto& answer : said.answers)
    out.tell({std::string(portfolio_kind), answer.portfolio}, {"effects_known", json_of(answer)});
  set_alarm(where, out);
}

kind_def make_paper_venue_kind(const paper_options& options) {
  kind_def kind;
  kind.name = paper_venue_kind;
  kind.schema = paper_venue::schema;
  kind.follows = true;
  kind.make = [options](const entity_id& id) {
    return std::make_unique<paper_venue_entity>(id, options);
  };
  return kind;
}

}  // namespace troupe::trading
