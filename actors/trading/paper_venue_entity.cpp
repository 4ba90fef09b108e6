#include "actors/trading/paper_venue_entity.hpp"

#include <algorithm>

#include "actors/market/symbol_entity.hpp"
#include "runtime/base/ensure.hpp"

namespace troupe::trading {

namespace {

using nlohmann::json;

void refuse(const faults& wrong, effects& out) {
  json answer{{"error", "malformed"}, {"faults", json::array()}};
  for (const auto& f : wrong) answer["faults"].push_back(to_string(f));
  out.unchanged();
  out.reply(answer);
}

/// Of an order id: `portfolio-N`.
std::string portfolio_of(std::string_view order) {
  return std::string(order.substr(0, order.rfind('-')));
}

}  // namespace

void paper_venue_entity::load(std::string_view state, int schema) {
  if (schema != paper_book::schema)
    throw bad_state("paper venue: schema " + std::to_string(schema) + " is not known");
  const auto from = json::parse(state, nullptr, false);
  faults wrong;
  std::int64_t next = -1;
  field_reader fields(from, "", wrong);
  const auto* book = fields.member("book", presence::required);
  fields.whole("next", next, -1, INT64_MAX).finish();
  if (!wrong.empty()) throw bad_state("paper venue: " + to_string(wrong));
  book_ = paper_book::load(book->dump());
  next_ = position(next);
}

std::string paper_venue_entity::save() const {
  return json{{"book", json::parse(book_.save())}, {"next", next_.value()}}.dump();
}

void paper_venue_entity::handle(const message& what, const context& where, effects& out) {
  if (what.type == "new_order") return take(what, out);
  if (what.type == "cancel_order") return cancel(what, out);
  if (what.type == "change_order") return change(what, out);
  if (what.type != "show") return entity::handle(what, where, out);
  out.unchanged();
  out.reply(json::parse(save()));
}

void paper_venue_entity::take(const message& what, effects& out) {
  faults wrong;
  const auto order = parse<venue_order>(what.body, wrong);
  if (!order) return refuse(wrong, out);
  go_back_to(order->decided);
  paper_book::reports reports;
  book_.take(*order, reports);
  rest_if_idle();
  tell(order->portfolio, reports, next_.value() - 1, out);
}

void paper_venue_entity::cancel(const message& what, effects& out) {
  faults wrong;
  const auto asked = parse<venue_cancel>(what.body, wrong);
  if (!asked) return refuse(wrong, out);
  paper_book::reports reports;
  book_.cancel(asked->order, asked->decided, reports);
  rest_if_idle();
  tell(portfolio_of(asked->order), reports, -1, out);
}

void paper_venue_entity::change(const message& what, effects& out) {
  faults wrong;
  const auto asked = parse<venue_change>(what.body, wrong);
  if (!asked) return refuse(wrong, out);
  paper_book::reports reports;
  book_.change_quantity(asked->order, asked->quantity, asked->time, reports);
  rest_if_idle();
  tell(portfolio_of(asked->order), reports, -1, out);
}

/// Behind the event of a decision, unless the venue has not come so far yet.
void paper_venue_entity::go_back_to(const decision_point& decided) {
  const position behind(decided.offset + 1);
  if (decided.offset < 0 || (next_ != feed_from_now && next_ <= behind)) return;
  if (next_ != feed_from_now) book_.seen(next_.value() - 1);
  next_ = behind;
}

/// Without orders there is nothing to follow; the next one says where to begin.
void paper_venue_entity::rest_if_idle() {
  if (book_.orders().empty()) next_ = feed_from_now;
}

std::vector<followed> paper_venue_entity::follows() const {
  if (book_.orders().empty()) return {};
  return {{{std::string(market::symbol_kind), book_.symbol()}, next_}};
}

void paper_venue_entity::absorb_feed(const feed_span& what, std::size_t& done, const context&,
                                     effects& out) {
  const auto* batch = dynamic_cast<const market::market_batch*>(what.events);
  ensure(batch != nullptr || what.events == nullptr, "symbols' logs hold market batches");
  const auto before = portfolios();
  paper_book::reports reports;
  for (; batch != nullptr && done < what.end; ++done) {
    const auto& e = batch->events()[done];
    const bool bar = e.kind == market::event_kind::bar;
    book_.apply(e, bar ? &batch->detail_of(e) : nullptr, reports);
  }
  next_ = what.next;
  for (const auto& portfolio : before) {
    paper_book::reports own;
    for (const auto& r : reports)
      if (portfolio_of(r.order) == portfolio) own.push_back(r);
    tell(portfolio, own, what.next.value() - 1, out);
  }
  rest_if_idle();
  if (book_.orders().empty()) out.follows_changed();
}

/// Those with orders here.
std::vector<std::string> paper_venue_entity::portfolios() const {
  std::vector<std::string> all;
  for (const auto& o : book_.orders())
    if (std::find(all.begin(), all.end(), o.terms.portfolio) == all.end())
      all.push_back(o.terms.portfolio);
  return all;
}

void paper_venue_entity::tell(const std::string& portfolio, const paper_book::reports& reports,
                              std::int64_t until, effects& out) const {
  if (reports.empty() && until < 0) return;
  json body{{"symbol", book_.symbol()}, {"reports", json::array()}};
  for (const auto& r : reports) body["reports"].push_back(json_of(r));
  if (until >= 0) body["until"] = until;
  out.tell({std::string(portfolio_kind), portfolio}, {"order_reports", std::move(body)});
}

kind_def make_paper_venue_kind(const paper_options& options) {
  kind_def kind;
  kind.name = paper_venue_kind;
  kind.schema = paper_book::schema;
  kind.follows = true;
  kind.make = [options](const entity_id& id) {
    return std::make_unique<paper_venue_entity>(id, options);
  };
  return kind;
}

}  // namespace troupe::trading
