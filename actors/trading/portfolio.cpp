#include "actors/trading/portfolio.hpp"

#include <charconv>
#include <cstdlib>

#include "actors/trading/strategy.hpp"
#include "runtime/base/ensure.hpp"

namespace troupe::trading {

namespace {

constexpr std::int64_t sign_of(side s) {
  return s == side::buy ? 1 : -1;
}

/// The part `share` / `of` of an amount, rounded towards zero.
money part_of(money whole, std::int64_t share, std::int64_t of) {
  return whole < 0 ? -multiply_divide(-whole, share, of) : multiply_divide(whole, share, of);
}

void close_part(holding& in, std::int64_t quantity, money value) {
  const auto held = std::abs(in.quantity.raw());
  const auto released = part_of(in.cost, quantity, held);
  in.realised -= value + released;
  in.cost -= released;
  const auto towards_zero = in.quantity.raw() > 0 ? -quantity : quantity;
  in.quantity = fixed::from_raw(in.quantity.raw() + towards_zero);
}

void add_fill(holding& in, const fill& f, money value) {
  const auto sign = sign_of(f.side);
  auto opening = f.quantity.raw();
  auto opening_value = value;
  if ((in.quantity.raw() > 0 && sign < 0) || (in.quantity.raw() < 0 && sign > 0)) {
    const auto closing = std::min(opening, std::abs(in.quantity.raw()));
    const auto closing_value = part_of(value, closing, opening);
    close_part(in, closing, closing_value);
    opening -= closing;
    opening_value -= closing_value;
  }
  in.quantity = fixed::from_raw(in.quantity.raw() + sign * opening);
  in.cost += opening_value;
  (sign > 0 ? in.bought : in.sold) += sign > 0 ? value : -value;
  in.realised -= to_money(f.fee);
  in.fees += to_money(f.fee);
  ++in.fills;
}

bool fits(const fill& f, const order& o) {
  return f.quantity.raw() > 0 && f.price.raw() > 0 && f.side == o.terms.side &&
         f.symbol == o.terms.symbol;
}

/// No report can have an effect any more: filled to the last unit that the venue was ever told, and
/// part of no bracket.
bool is_closed(const order& o) {
  return o.status == order_status::filled && o.filled == o.quantity_told && o.entry == 0 &&
         children_of(o.take_profit, o.stop_loss) == 0;
}

bool has_fill(const order& o, std::string_view id) {
  return std::find(o.fill_ids.rbegin(), o.fill_ids.rend(), id) != o.fill_ids.rend();
}

life_event event_of(report_kind what) {
  switch (what) {
    case report_kind::acknowledged:
      return life_event::acknowledged;
    case report_kind::canceled:
    case report_kind::change_refused:
      return life_event::canceled;
    case report_kind::expired:
      return life_event::expired;
    case report_kind::rejected:
      return life_event::rejected;
    default:
      return life_event::cancel_refused;
  }
}

portfolio_refusal refusal_of(life_outcome outcome) {
  switch (outcome) {
    case life_outcome::taken:
      return portfolio_refusal::none;
    case life_outcome::repeated:
      return portfolio_refusal::repeated;
    case life_outcome::already_final:
      return portfolio_refusal::already_final;
    default:
      return portfolio_refusal::beyond_quantity;
  }
}

/// The moment of a fill, as what follows from it was decided then.
decision_point point_of(const order_report& r) {
  return {r.offset, r.trade.time, r.trade.price, {}, {}};
}

}  // namespace

own_order child_of(const order& o) {
  const auto& t = o.terms;
  return {o.request, t.id, t.side, t.type, t.limit, t.stop, t.quantity, o.filled, o.status, true};
}

money cost_of(const fill& f) {
  if (f.side == side::buy) return value_of(f.quantity, f.price, rounding::up);
  return -value_of(f.quantity, f.price, rounding::down);
}

fixed holding::entry_price() const {
  if (quantity.raw() == 0) return {};
  const auto held = std::abs(quantity.raw());
  const auto paid = cost < 0 ? -cost : cost;
  const auto twice = multiply_divide(paid, 2 * fixed::scale, held);
  return clamp_fixed((twice + 1) / 2);
}

money holding::unrealised(fixed price) const {
  return value_of(quantity, price, rounding::down) - cost;
}

portfolio::portfolio(portfolio_settings settings) : settings_(std::move(settings)) {
  facts_.cash = to_money(settings_.cash);
}

symbol_index portfolio::index_of(std::string_view symbol) {
  const auto i = facts_.names.add(symbol);
  if (i.value() == positions_.size()) {
    positions_.emplace_back();
    facts_.symbols.emplace_back();
  }
  return i;
}

const order* portfolio::find(std::int64_t number) const {
  const auto found = orders_.find(number);
  return found == orders_.end() ? nullptr : &found->second;
}

std::string portfolio::id_of(std::int64_t number) const {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  std::string id;
  id.reserve(settings_.name.size() + 1 + static_cast<std::size_t>(end - digits));
  return id.append(settings_.name).append("-").append(digits, end);
}

std::optional<std::int64_t> portfolio::number_of(std::string_view id) const {
  const auto& name = settings_.name;
  if (id.size() < name.size() + 2 || !id.starts_with(name) || id[name.size()] != '-')
    return std::nullopt;
  std::int64_t number = 0;
  const auto* end = id.data() + id.size();
  const auto read = std::from_chars(id.data() + name.size() + 1, end, number);
  if (read.ec != std::errc{} || read.ptr != end || number < 1) return std::nullopt;
  if (id[name.size() + 1] == '0') return std::nullopt;  // No order is called p1-01.
  return number;
}

void portfolio::reserve(const order& o, int sign) {
  if (o.terms.reduce_only || is_final(o.status)) return;
  auto& s = facts_.symbols[o.symbol.value()];
  const auto left = o.remaining();
  auto& open = o.terms.side == side::buy ? s.open_buys : s.open_sells;
  open = fixed::from_raw(open.raw() + sign * left.raw());
  if (o.terms.side == side::buy)
    facts_.reserved += sign * value_of(left, o.reserve_price, rounding::up);
}

order& portfolio::add(order&& o) {
  o.number = ++last_number_;
  o.terms.id = id_of(o.number);
  o.terms.portfolio = settings_.name;
  o.quantity_told = o.terms.quantity;
  auto& kept = orders_.emplace_hint(orders_.end(), o.number, std::move(o))->second;
  reserve(kept, 1);
  open_.push_back(kept.number);
  facts_.open_orders = static_cast<std::int64_t>(open_.size());
  count_children(kept);
  return kept;
}

const order& portfolio::place(const order_request& request, const verdict& approved,
                              portfolio_listener& out) {
  ensure(approved.approved() && approved.number > facts_.placed, "a new approval");
  order o;
  o.terms = {{},
             {},
             request.symbol,
             request.side,
             request.type,
             request.in_force,
             request.post_only,
             request.reduce_only,
             approved.quantity,
             request.limit,
             request.stop,
             request.trail,
             request.good_till,
             {},
             request.decided,
             request.paced ? request.session : std::string()};
  o.symbol = index_of(request.symbol);
  o.session = request.session;
  o.request = request.number;
  o.verdict = approved.number;
  o.reserve_price = approved.reserve_price;
  o.take_profit = request.take_profit;
  o.stop_loss = request.stop_loss;
  o.updated = request.decided.time;
  if (const auto price = market_price(request.decided); price.raw() > 0)
    facts_.symbols[o.symbol.value()].mark = price;
  facts_.placed = approved.number;
  if (!request.oco_group.empty()) o.terms.oco_group = request.session + '/' + request.oco_group;
  const auto& kept = add(std::move(o));
  out.order_placed(kept);
  return kept;
}

portfolio_refusal portfolio::take(const order_report& report, portfolio_listener& out) {
  const auto number = number_of(report.order);
  if (!number || *number > last_number_) return portfolio_refusal::unknown_order;
  const auto found = orders_.find(*number);
  if (found == orders_.end()) return portfolio_refusal::forgotten_order;
  auto& o = found->second;
  // What may change although it has ended: the order, and the entry whose bracket it belongs to.
  if (!ended_text_.empty()) {
    ended_text_.erase(o.number);
    ended_text_.erase(o.entry);
  }
  const auto refused =
      report.what == report_kind::filled ? take_fill(o, report, out) : take_change(o, report, out);
  forget();
  return refused;
}

void portfolio::note_end(const order& o) {
  (is_closed(o) ? closed_ : ended_).push_back(o.number);
}

void portfolio::forget() {
  forget(ended_, settings_.ended_max);
  forget(closed_, std::min(settings_.ended_max, closed_max));
}

void portfolio::forget(std::deque<std::int64_t>& of, std::int64_t most) {
  for (; std::ssize(of) > most; of.pop_front()) {
    orders_.erase(of.front());
    ended_text_.erase(of.front());
  }
}

portfolio_refusal portfolio::take_change(order& o, const order_report& r, portfolio_listener& out) {
  const auto refused = follow_venue(o, r, out);
  if (r.what != report_kind::change_refused) return refused;
  if (const auto entry = orders_.find(o.entry); entry != orders_.end())
    follow_entry(entry->second, entry->second.children_at, out);
  return refused;
}

portfolio_refusal portfolio::follow_venue(order& o, const order_report& r,
                                          portfolio_listener& out) {
  const auto step = transition(o.status, event_of(r.what));
  if (step.outcome != life_outcome::taken) return refusal_of(step.outcome);
  if (r.what == report_kind::cancel_refused) {
    if (!o.cancel_asked) return portfolio_refusal::repeated;
    o.cancel_asked = false;
  }
  set_status(o, step.status);
  o.reason = r.reason;
  o.updated = std::max(o.updated, r.time);  // Whoever cancels by hand gives no time.
  out.order_changed(o);
  return portfolio_refusal::none;
}

portfolio_refusal portfolio::take_fill(order& o, const order_report& r, portfolio_listener& out) {
  const auto& f = r.trade;
  if (!fits(f, o)) return portfolio_refusal::malformed_fill;
  if (has_fill(o, f.id)) return portfolio_refusal::repeated;
  const auto filled = checked_add(o.filled, f.quantity);
  if (!filled || *filled > o.quantity_told) return portfolio_refusal::beyond_quantity;
  // A fill of up to what the venue was told counts even if the order has shrunk to less since.
  const bool whole = *filled >= o.terms.quantity;
  const auto step =
      transition(o.status, whole ? life_event::filled_wholly : life_event::filled_partly);
  settle(o, f);
  set_status(o, step.status);
  out.order_filled(o, f);
  out.order_changed(o);
  if (o.entry != 0) follow_child(o, f);
  if (!o.terms.oco_group.empty()) follow_group(o, f.quantity, point_of(r), out);
  if (o.take_profit.raw() == 0 && o.stop_loss.raw() == 0) return portfolio_refusal::none;
  o.children_at = point_of(r);
  follow_entry(o, o.children_at, out);
  return portfolio_refusal::none;
}

void portfolio::follow_child(const order& child, const fill& f) {
  const auto entry = orders_.find(child.entry);
  if (entry == orders_.end()) return;
  auto& sum = entry->second.children_filled;
  sum = fixed::from_raw(sum.raw() + f.quantity.raw());
}

void portfolio::settle(order& o, const fill& f) {
  reserve(o, -1);
  const auto value = cost_of(f);
  o.filled = fixed::from_raw(o.filled.raw() + f.quantity.raw());
  o.value += value < 0 ? -value : value;
  o.fees += to_money(f.fee);
  o.fill_ids.push_back(f.id);
  o.updated = f.time;
  reserve(o, 1);
  add_fill(positions_[o.symbol.value()], f, value);
  auto& s = facts_.symbols[o.symbol.value()];
  s.position = positions_[o.symbol.value()].quantity;
  s.mark = f.price;
  facts_.cash -= value + to_money(f.fee);
}

void portfolio::set_status(order& o, order_status to) {
  if (!is_final(to)) {
    o.status = to;
    return;
  }
  const bool late = is_final(o.status);  // It was canceled, and had been filled before.
  if (late)
    std::erase(ended_, o.number);
  else
    reserve(o, -1);
  o.status = to;
  note_end(o);
  if (late) return;
  open_.erase(std::lower_bound(open_.begin(), open_.end(), o.number));
  facts_.open_orders = static_cast<std::int64_t>(open_.size());
  count_children(o);
  if (o.entry == 0) return;
  if (const auto entry = orders_.find(o.entry); entry != orders_.end())
    count_children(entry->second);
}

bool portfolio::is_open(std::int64_t number) const {
  const auto* const o = find(number);
  return o != nullptr && !is_final(o->status);
}

/// An entry places its children together, once it fills, and anew when both have ended.
void portfolio::count_children(order& entry) {
  const auto children = children_of(entry.take_profit, entry.stop_loss);
  if (children == 0) return;
  const bool may_place = !is_final(entry.status) && !is_open(entry.take_profit_order) &&
                         !is_open(entry.stop_loss_order);
  const auto now = may_place ? children : 0;
  facts_.children_to_come += now - entry.children_to_come;
  entry.children_to_come = now;
}

void portfolio::follow_group(const order& o, fixed quantity, const decision_point& at,
                             portfolio_listener& out) {
  for (const auto number : open_) {
    auto& other = orders_.find(number)->second;
    if (number == o.number || other.terms.oco_group != o.terms.oco_group) continue;
    const auto left = other.remaining().raw() - quantity.raw();
    if (other.terms.reduce_only && left > 0) {
      set_quantity(other, fixed::from_raw(other.filled.raw() + left), out);
    } else {
      ask_cancel(other, at, out);
    }
  }
}

void portfolio::set_quantity(order& o, fixed quantity, portfolio_listener& out) {
  if (quantity == o.terms.quantity) return;
  reserve(o, -1);
  o.terms.quantity = quantity;
  o.quantity_told = std::max(o.quantity_told, quantity);
  reserve(o, 1);
  out.quantity_changed(o);
}

void portfolio::follow_entry(order& entry, const decision_point& at, portfolio_listener& out) {
  const auto open = entry.filled.raw() - entry.children_filled.raw();
  if (open <= 0) return;
  bool alive = false;
  for (const auto number : {entry.take_profit_order, entry.stop_loss_order}) {
    const auto child = orders_.find(number);
    if (child == orders_.end() || is_final(child->second.status)) continue;
    alive = true;
    set_quantity(child->second, fixed::from_raw(child->second.filled.raw() + open), out);
  }
  if (alive) return;
  if (entry.take_profit.raw() != 0)
    entry.take_profit_order = place_child(entry, order_type::limit, entry.take_profit, at, out);
  if (entry.stop_loss.raw() != 0)
    entry.stop_loss_order = place_child(entry, order_type::stop, entry.stop_loss, at, out);
  count_children(entry);
}

std::int64_t portfolio::place_child(const order& entry, order_type type, fixed price,
                                    const decision_point& at, portfolio_listener& out) {
  order o;
  o.terms.symbol = entry.terms.symbol;
  o.terms.side = opposite(entry.terms.side);
  o.terms.type = type;
  o.terms.reduce_only = true;
  o.terms.quantity = fixed::from_raw(entry.filled.raw() - entry.children_filled.raw());
  (type == order_type::limit ? o.terms.limit : o.terms.stop) = price;
  o.terms.oco_group = ':' + entry.terms.id;  // No session's group is called so.
  o.terms.decided = at;
  o.terms.paced_by = entry.terms.paced_by;
  o.symbol = entry.symbol;
  o.session = entry.session;
  o.request = entry.request;
  o.entry = entry.number;
  o.updated = at.time;
  const auto& kept = add(std::move(o));
  out.order_placed(kept);
  return kept.number;
}

void portfolio::ask_cancel(order& o, const decision_point& decided, portfolio_listener& out) {
  if (o.cancel_asked) return;
  o.cancel_asked = true;
  out.cancel_asked(o, decided);
}

portfolio_refusal portfolio::cancel(std::int64_t number, const decision_point& decided,
                                    portfolio_listener& out) {
  if (number < 1 || number > last_number_) return portfolio_refusal::unknown_order;
  const auto found = orders_.find(number);
  if (found == orders_.end()) return portfolio_refusal::forgotten_order;
  auto& o = found->second;
  const auto step = transition(o.status, life_event::cancel_asked);
  if (step.outcome != life_outcome::taken) return refusal_of(step.outcome);
  if (o.cancel_asked) return portfolio_refusal::repeated;
  ask_cancel(o, decided, out);
  return portfolio_refusal::none;
}

std::int64_t portfolio::cancel_all(std::string_view session, const decision_point& decided,
                                   portfolio_listener& out, cancel_scope scope) {
  std::int64_t asked = 0;
  for (const auto number : open_) {
    auto& o = orders_.find(number)->second;
    if (scope == cancel_scope::opening && o.terms.reduce_only) continue;
    if (o.cancel_asked || (!session.empty() && o.session != session)) continue;
    ask_cancel(o, decided, out);
    ++asked;
  }
  return asked;
}

money portfolio::equity(std::span<const fixed> prices) const {
  money sum = facts_.cash;
  for (std::size_t i = 0; i < positions_.size(); ++i)
    if (positions_[i].quantity.raw() != 0)
      sum += value_of(positions_[i].quantity, prices[i], rounding::down);
  return sum;
}

money portfolio::gross_exposure(std::span<const fixed> prices) const {
  money sum = 0;
  for (std::size_t i = 0; i < positions_.size(); ++i) {
    const auto held = positions_[i].quantity.raw();
    if (held != 0) sum += value_of(fixed::from_raw(std::abs(held)), prices[i], rounding::up);
  }
  return sum;
}

money portfolio::realised() const {
  money sum = 0;
  for (const auto& p : positions_) sum += p.realised;
  return sum;
}

money portfolio::unrealised(std::span<const fixed> prices) const {
  money sum = 0;
  for (std::size_t i = 0; i < positions_.size(); ++i)
    if (positions_[i].quantity.raw() != 0) sum += positions_[i].unrealised(prices[i]);
  return sum;
}

}  // namespace troupe::trading
