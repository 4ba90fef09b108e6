#include "actors/trading/paper_matching.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>

namespace troupe::trading {

namespace {

using market::event_kind;
using market::market_event;

bool is_buy(const paper_order& o) {
  return o.terms.side == side::buy;
}

/// At `price` or better, seen from the order.
bool within(const paper_order& o, fixed price, fixed limit) {
  return is_buy(o) ? price <= limit : price >= limit;
}
bool better(const paper_order& o, fixed price, fixed than) {
  return is_buy(o) ? price < than : price > than;
}

bool waits_for_stop(const paper_order& o) {
  return o.terms.type >= order_type::stop && !o.triggered;
}
bool is_limit(const paper_order& o) {
  return o.terms.type == order_type::limit || o.terms.type == order_type::stop_limit;
}
bool is_immediate(const paper_order& o) {
  return o.terms.in_force == time_in_force::ioc || o.terms.in_force == time_in_force::fok;
}

fixed stop_of(const paper_order& o) {
  if (o.terms.type != order_type::trailing_stop) return o.terms.stop;
  return clamp_fixed(is_buy(o) ? wide{o.best.raw()} + o.terms.trail.raw()
                               : wide{o.best.raw()} - o.terms.trail.raw());
}

/// Worse for the taker by so many basis points, but not beyond its limit.
fixed slipped(const paper_order& o, fixed price, fixed bps) {
  constexpr std::int64_t whole = 10'000 * fixed::scale;
  if (bps.raw() != 0) {
    const auto worse = multiply_divide_up(price.raw(), bps.raw(), whole);
    price =
        clamp_fixed(is_buy(o) ? price.raw() + worse : std::max(wide{1}, wide{price.raw()} - worse));
  }
  if (!is_limit(o)) return price;
  return is_buy(o) ? std::min(price, o.terms.limit) : std::max(price, o.terms.limit);
}

/// Of price * quantity, rounded up to 1e-8; a rebate is rounded down.
fixed fee_of(fixed price, fixed quantity, fixed bps) {
  if (bps.raw() == 0) return {};
  constexpr std::int64_t whole = 10'000 * fixed::scale;
  const auto notional = wide{price.raw()} * quantity.raw();
  const auto fine = bps.raw() > 0 ? multiply_divide_up(notional, bps.raw(), whole)
                                  : -multiply_divide(notional, -bps.raw(), whole);
  return clamp_fixed(divide(fine, fixed::scale, rounding::up));
}

std::string fill_id(const paper_order& o) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, o.fills).ptr;
  std::string id;
  id.reserve(o.terms.id.size() + 1 + static_cast<std::size_t>(end - digits));
  return id.append(o.terms.id).append(".").append(digits, end);
}

}  // namespace

void paper_matching::run() {
  end_overdue();
  const auto each = [this](auto meets) {
    for (auto& o : book_.orders_)
      if (!o.ended && counts(o)) (this->*meets)(o);
  };
  if (bar_ == nullptr) return each(&paper_matching::meet_quote_or_trade);
  each(&paper_matching::meet_open);
  each(&paper_matching::meet_range_as_stop);
  each(&paper_matching::meet_range_as_limit);
}

bool paper_matching::counts(const paper_order& o) const {
  if (event_.offset <= o.behind || event_.time <= o.live_after) return false;
  return bar_ == nullptr || event_.time >= book_.known_to(o);
}

void paper_matching::end_overdue() {
  for (auto& o : book_.orders_) {
    if (!counts(o)) continue;
    if (event_.time >= o.expires) {
      book_.close(o, report_kind::expired, {}, o.expires, out_);
    } else if (event_.time > o.cancel_after) {
      book_.close(o, report_kind::canceled, {}, o.cancel_after, out_);
    }
  }
}

/// What a quote or trade offers to the taker of an order's side.
std::optional<paper_matching::offer> paper_matching::offer_for(const paper_order& o) const {
  if (event_.kind == event_kind::trade) return offer{event_.price, event_.size};
  const bool buys = is_buy(o);
  if ((event_.flags & (buys ? market_event::has_ask : market_event::has_bid)) == 0)
    return std::nullopt;
  return buys ? offer{event_.ask, event_.ask_size} : offer{event_.price, event_.size};
}

void paper_matching::meet_quote_or_trade(paper_order& o) {
  if (book_.options_.queue_position && is_limit(o)) watch_queue(o);
  if (const auto there = offer_for(o)) meet(o, *there);
}

void paper_matching::meet_open(paper_order& o) {
  meet(o, {bar_->open, {}});
}

void paper_matching::meet(paper_order& o, const offer& there) {
  if (there.price.raw() <= 0) {
    // An empty side: nothing to take, so a limit order rests.
    if (is_limit(o) && !waits_for_stop(o)) o.met = true;
    if (is_immediate(o) && is_limit(o)) end(o, "nothing_to_fill");
    return;
  }
  if (waits_for_stop(o)) return meet_stop(o, there);
  is_limit(o) ? meet_limit(o, there) : meet_market(o, there);
}

void paper_matching::meet_market(paper_order& o, const offer& there) {
  const auto& decided = o.terms.decided;
  const auto quoted = is_buy(o) ? decided.ask : decided.bid;
  if (quoted.raw() != 0 && event_.kind != event_kind::quote) return;
  take(o, there);
}

void paper_matching::meet_limit(paper_order& o, const offer& there) {
  const bool first = !o.met;
  o.met = true;
  const bool crossed = within(o, there.price, o.terms.limit);
  if (first) {
    if (crossed && o.terms.post_only) return end(o, "post_only");
    if (crossed) return take(o, there);
    if (is_immediate(o)) end(o, "nothing_to_fill");
    return;
  }
  if (!crossed) return;
  if (bar_ != nullptr) {
    if (better(o, there.price, o.terms.limit)) make(o, there.price, all);
    return;
  }
  if (const auto most = pass_queue(o, there)) make(o, o.terms.limit, *most);
}

void paper_matching::meet_stop(paper_order& o, const offer& there) {
  if (o.terms.type == order_type::trailing_stop) follow(o, there.price);
  // A buy stop is reached from below: by a price at the stop or worse.
  if (!better(o, there.price, stop_of(o))) trigger(o, there);
}

void paper_matching::trigger(paper_order& o, const offer& there) {
  o.triggered = true;
  if (!is_limit(o)) return take(o, there);
  o.met = true;
  if (within(o, there.price, o.terms.limit)) return take(o, there);
  o.resting_soon = bar_ != nullptr;
}

/// The best price so far: the highest for a sell, the lowest for a buy.
void paper_matching::follow(paper_order& o, fixed price) {
  if (o.best.raw() == 0 || better(o, price, o.best)) o.best = price;
}

void paper_matching::meet_range_as_stop(paper_order& o) {
  if (!waits_for_stop(o)) return;
  const bool buys = is_buy(o);
  const auto stop = stop_of(o);
  if (stop.raw() > 0 && (buys ? bar_->high >= stop : bar_->low <= stop)) {
    trigger(o, {stop, {}});
  } else if (o.terms.type == order_type::trailing_stop) {
    follow(o, buys ? bar_->low : bar_->high);
  }
}

void paper_matching::meet_range_as_limit(paper_order& o) {
  if (o.resting_soon) {
    o.resting_soon = false;
    return;
  }
  if (!is_limit(o) || waits_for_stop(o) || !o.met) return;
  const auto reached = is_buy(o) ? bar_->low : bar_->high;
  const bool through = better(o, reached, o.terms.limit);
  const bool touched = reached == o.terms.limit && !book_.options_.queue_position;
  if (through || touched) make(o, o.terms.limit, all);
}

/// Learns from a quote of the order's own side how much stands before it.
void paper_matching::watch_queue(paper_order& o) {
  const bool buys = is_buy(o);
  if (event_.kind != event_kind::quote ||
      (event_.flags & (buys ? market_event::has_bid : market_event::has_ask)) == 0)
    return;
  const auto price = buys ? event_.price : event_.ask;
  const auto size = buys ? event_.size : event_.ask_size;
  if (price == o.terms.limit) {
    o.ahead = std::min(o.ahead.value_or(size), size);
  } else if (price.raw() == 0 || better(o, price, o.terms.limit)) {  // Below a bid of ours.
    o.ahead = fixed{};
  }
}

/// What is left for the order behind those before it: at most so much, or nothing.
std::optional<fixed> paper_matching::pass_queue(paper_order& o, const offer& there) const {
  const bool touch = there.price == o.terms.limit && event_.kind == event_kind::trade;
  if (!book_.options_.queue_position || !touch) return shown(there);
  if (!o.ahead) return std::nullopt;
  const auto used = std::min(*o.ahead, there.size);
  o.ahead = fixed::from_raw(o.ahead->raw() - used.raw());
  if (used == there.size) return std::nullopt;
  return fixed::from_raw(there.size.raw() - used.raw());
}

/// The most that a fill may take of an offer.
fixed paper_matching::shown(const offer& there) const {
  const bool limited = book_.options_.displayed_size && there.size.raw() > 0;
  return limited ? there.size : all;
}

/// How much an order may fill of at most so much.
fixed paper_matching::fillable(const paper_order& o, fixed most) const {
  most = std::min(most, o.remaining());
  if (!o.terms.reduce_only) return most;
  const auto held = book_.accounts_[o.account].holding.raw();
  const bool against = is_buy(o) ? held < 0 : held > 0;
  return std::min(most, fixed::from_raw(against ? std::abs(held) : 0));
}

void paper_matching::take(paper_order& o, const offer& there) {
  const auto quantity = fillable(o, shown(there));
  const bool whole = quantity == o.remaining();
  if (quantity.raw() == 0) return end(o, "reduce_only");
  if (!whole && o.terms.in_force == time_in_force::fok) return end(o, "not_whole");
  fill_order(o, slipped(o, there.price, book_.options_.slippage_bps), quantity, role::taker);
  if (!o.ended && is_immediate(o)) end(o, "not_whole");
}

void paper_matching::make(paper_order& o, fixed price, fixed most) {
  const auto quantity = fillable(o, most);
  if (quantity.raw() == 0) return end(o, "reduce_only");
  fill_order(o, price, quantity, role::maker);
}

void paper_matching::fill_order(paper_order& o, fixed price, fixed quantity, role as) {
  const bool maker = as == role::maker;
  o.filled = fixed::from_raw(o.filled.raw() + quantity.raw());
  ++o.fills;
  auto& holding = book_.accounts_[o.account].holding;
  const auto change = is_buy(o) ? quantity.raw() : -quantity.raw();
  holding = clamp_fixed(wide{holding.raw()} + change);
  const auto bps = maker ? book_.options_.maker_fee_bps : book_.options_.taker_fee_bps;
  const auto time = from_micros(event_.time);
  auto& told = out_.emplace_back();
  told.what = report_kind::filled;
  told.order = o.terms.id;
  told.time = time;
  told.offset = event_.offset;
  told.trade = {fill_id(o), o.terms.id, book_.symbol_, o.terms.side,
                maker,      quantity,   price,         fee_of(price, quantity, bps),
                time};
  if (o.remaining().raw() == 0) o.ended = true;
  if (!o.terms.oco_group.empty()) tell_group(o, quantity);
  if (!o.ended && o.terms.reduce_only && fillable(o, all).raw() == 0) end(o, "reduce_only");
}

void paper_matching::tell_group(const paper_order& o, fixed quantity) {
  for (auto& other : book_.orders_) {
    if (&other == &o || other.ended || other.account != o.account ||
        other.terms.oco_group != o.terms.oco_group)
      continue;
    if (other.terms.reduce_only && other.remaining() > quantity) {
      other.terms.quantity = fixed::from_raw(other.terms.quantity.raw() - quantity.raw());
    } else {
      end(other, "group");
    }
  }
}

void paper_matching::end(paper_order& o, std::string_view why) {
  book_.close(o, report_kind::canceled, why, event_.time, out_);
}

}  // namespace troupe::trading
