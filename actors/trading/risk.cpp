#include "actors/trading/risk.hpp"

#include <algorithm>
#include <cstdlib>

#include "actors/model/period.hpp"
#include "runtime/codec/text.hpp"

namespace troupe::trading {

namespace {

constexpr std::int64_t floor_divide(std::int64_t a, std::int64_t b) {
  return market::floor_to(a, b) / b;
}

bool is_limit(order_type t) {
  return t == order_type::limit || t == order_type::stop_limit;
}
bool is_stop(order_type t) {
  return t == order_type::stop || t == order_type::stop_limit;
}

/// Why a request does not hold together, as `key=value`; empty: it does.
std::string_view fault_of_prices(const order_request& r) {
  for (const auto price : {r.limit, r.stop, r.trail, r.take_profit, r.stop_loss, r.volatility,
                           r.decided.last, r.decided.bid, r.decided.ask})
    if (price.raw() < 0) return "price=below_0";
  if (is_limit(r.type) != (r.limit.raw() != 0))
    return is_limit(r.type) ? "limit=missing" : "limit=not_of_this_type";
  if (is_stop(r.type) != (r.stop.raw() != 0))
    return is_stop(r.type) ? "stop=missing" : "stop=not_of_this_type";
  if ((r.type == order_type::trailing_stop) != (r.trail.raw() != 0))
    return r.trail.raw() == 0 ? "trail=missing" : "trail=not_of_this_type";
  return {};
}

std::string_view fault_of_terms(const order_request& r) {
  if ((r.in_force == time_in_force::gtd) != (r.good_till != time_point{}))
    return r.in_force == time_in_force::gtd ? "good_till=missing" : "good_till=not_gtd";
  const bool immediate = r.in_force == time_in_force::ioc || r.in_force == time_in_force::fok;
  if (immediate && r.type != order_type::market && r.type != order_type::limit)
    return "in_force=not_of_stops";
  if (r.post_only && (r.type != order_type::limit || immediate)) return "post_only=not_of_takers";
  if ((r.size_by == sizing::volatility_target) != (r.volatility.raw() != 0))
    return r.volatility.raw() == 0 ? "volatility=missing" : "volatility=not_of_this_sizing";
  return {};
}

std::string_view fault_of_bracket(const order_request& r) {
  const auto profit = r.take_profit, loss = r.stop_loss;
  if (profit.raw() == 0 && loss.raw() == 0) return {};
  if (r.reduce_only) return "bracket=of_reduce_only";
  const auto before = [&](fixed a, fixed b) {
    return a.raw() == 0 || b.raw() == 0 || (r.side == side::buy ? a < b : a > b);
  };
  if (!before(loss, profit)) return "stop_loss=beyond_take_profit";
  if (!before(r.limit, profit)) return "take_profit=worse_than_limit";
  if (!before(loss, r.limit)) return "stop_loss=better_than_limit";
  return {};
}

std::string_view fault_of(const order_request& r) {
  if (!is_name(r.session)) return "session=not_a_name";
  if (r.number < 1) return "number=below_1";
  if (!is_name(r.symbol)) return "symbol=not_a_name";
  if (r.amount.raw() <= 0) return "amount=not_above_0";
  for (const auto find : {fault_of_prices, fault_of_terms, fault_of_bracket})
    if (const auto fault = find(r); !fault.empty()) return fault;
  return {};
}

/// What the side that an order takes from asks for, or the nearest thing to it; 0: nothing is
/// known.
fixed reference_of(const order_request& r) {
  const auto& d = r.decided;
  const auto [taken, other] =
      r.side == side::buy ? std::pair{d.ask, d.bid} : std::pair{d.bid, d.ask};
  if (taken.raw() != 0) return taken;
  return d.last.raw() != 0 ? d.last : other;
}

/// What one unit may cost: at a stated price that price, otherwise with a reserve.
fixed worst_price(const order_request& r, fixed reference, fixed reserve_percent) {
  if (is_limit(r.type)) return r.limit;
  wide from = reference.raw();
  if (r.type == order_type::stop) from = std::max(from, wide{r.stop.raw()});
  if (r.type == order_type::trailing_stop) from += r.trail.raw();
  return clamp_fixed(from + percent_of(from, reserve_percent) + 1);
}

/// The price that an order is sized and valued by.
fixed order_price(const order_request& r, fixed reference) {
  if (is_limit(r.type)) return r.limit;
  return r.type == order_type::stop ? r.stop : reference;
}

void add(std::string& to, std::string_view key, const std::string& value) {
  if (!to.empty()) to += ' ';
  to.append(key).append("=").append(value);
}
void add(std::string& to, std::string_view key, fixed value) {
  add(to, key, to_string(value));
}
void add(std::string& to, std::string_view key, money value) {
  add(to, key, to_string(value));
}
void add(std::string& to, std::string_view key, std::int64_t value) {
  add(to, key, std::to_string(value));
}

wide worst_of(wide position, wide buys, wide sells) {
  return std::max(position + buys, sells - position);
}

}  // namespace

/// One request before the risk check: every `judge_` function says what is wrong in its matter.
class risk_hearing {
 public:
  risk_hearing(risk& r, const order_request& request, const portfolio_facts& facts)
      : risk_(r), request_(request), facts_(facts) {}

  verdict decide() {
    if (is_duplicate()) return std::move(verdict_);
    verdict_.number = ++risk_.verdicts_;
    if (is_name(request_.session) && request_.number >= 1)
      who_ = &risk_.sessions_[request_.session];
    judge();
    if (who_ == nullptr) return std::move(verdict_);
    who_->newest = request_.number;
    if (verdict_.approved()) approve();
    return std::move(verdict_);
  }

 private:
  using limit = risk_refusal;

  /// Refuses unless something refused before. Values go into the detail as key, value, ...
  template <class... Values>
  void refuse(limit why, const Values&... values) {
    verdict_.refused = why;
    add_all(values...);
  }
  void add_all() {}
  template <class Value, class... More>
  void add_all(std::string_view key, const Value& value, const More&... more) {
    add(verdict_.detail, key, value);
    add_all(more...);
  }

  bool is_duplicate() {
    const auto seen = risk_.sessions_.find(request_.session);
    if (seen == risk_.sessions_.end() || request_.number > seen->second.newest) return false;
    refuse(limit::duplicate, "number", request_.number, "newest", seen->second.newest);
    return true;
  }

  void judge() {
    if (const auto fault = fault_of(request_); !fault.empty()) {
      refuse(limit::malformed);
      verdict_.detail = fault;
      return;
    }
    gather();
    using judgement = void (risk_hearing::*)();
    for (const judgement next :
         {&risk_hearing::judge_halt, &risk_hearing::judge_symbol, &risk_hearing::judge_terms,
          &risk_hearing::judge_prices, &risk_hearing::size, &risk_hearing::judge_reducing,
          &risk_hearing::judge_size, &risk_hearing::judge_position, &risk_hearing::judge_exposure,
          &risk_hearing::judge_cash, &risk_hearing::judge_counts}) {
      (this->*next)();
      if (!verdict_.approved()) return;
    }
  }

  void gather() {
    risk_.forget_placed(facts_.placed);
    if (const auto i = facts_.names.find(request_.symbol)) here_ = facts_.symbols[i->value()];
    for (const auto& r : risk_.in_flight_) {
      cash_in_flight_ += r.cash;
      if (r.symbol != request_.symbol) continue;
      auto& open = r.side == side::buy ? here_.open_buys : here_.open_sells;
      open = clamp_fixed(wide{open.raw()} + r.quantity.raw());
    }
    equity_ = equity_of(facts_);
    if (const auto now = market_price(request_.decided); now.raw() != 0) {
      equity_ += value_of(here_.position, now, rounding::down) -
                 value_of(here_.position, here_.mark, rounding::down);
      here_.mark = now;
    }
    if (has_begun()) risk_.enter_day(*who_, request_.decided.time, equity_);
    day_equity_ = who_->day ? risk_.days_.at(*who_->day) : equity_;
    risk_.observe_equity(equity_);
  }

  /// A portfolio that may still be opened has no equity that a day could begin with.
  bool has_begun() const { return facts_.placed > 0 || facts_.cash != 0; }

  void judge_halt() {
    if (risk_.state_ != trading_state::halted) return;
    if (risk_.by_drawdown_) {
      refuse(limit::drawdown, "equity", equity_, "peak", risk_.peak_.value_or(0));
    } else {
      refuse(limit::halted);
    }
  }

  void judge_symbol() {
    limits_ = risk_.limits_.find(request_.symbol);
    if (limits_ == nullptr) return refuse(limit::unknown_symbol, "symbol", request_.symbol);
    if (!limits_->rules.tradable) refuse(limit::untradable_symbol, "symbol", request_.symbol);
  }

  void judge_terms() {
    const auto& r = request_;
    if (r.in_force == time_in_force::gtd && r.good_till <= r.decided.time)
      return refuse(limit::good_till_past, "good_till", to_micros(r.good_till), "decided",
                    to_micros(r.decided.time));
    const auto step = limits_->rules.price_step;
    const std::pair<std::string_view, fixed> prices[]{{"limit", r.limit},
                                                      {"stop", r.stop},
                                                      {"trail", r.trail},
                                                      {"take_profit", r.take_profit},
                                                      {"stop_loss", r.stop_loss}};
    for (const auto& [name, price] : prices)
      if (!is_multiple(price, step))
        return refuse(limit::price_precision, name, price, "price_step", step);
    const auto lot = limits_->rules.quantity_step;
    if (r.size_by == sizing::quantity && !is_multiple(r.amount, lot))
      refuse(limit::quantity_precision, "amount", r.amount, "quantity_step", lot);
  }

  void judge_prices() {
    const auto& collar = limits_->price_collar_percent;
    reference_ = reference_of(request_);
    if (reference_.raw() == 0) {
      reference_ = request_.limit;
      if (reference_.raw() == 0 || collar) return refuse(limit::no_price);
    }
    if (here_.mark.raw() == 0) here_.mark = reference_;
    price_ = order_price(request_, reference_);
    if (!collar) return;
    const auto reach = percent_of(reference_.raw(), *collar);
    for (const auto price : {request_.limit, request_.stop}) {
      const auto distance = wide{price.raw()} - reference_.raw();
      if (price.raw() != 0 && (distance < 0 ? -distance : distance) > reach)
        return refuse(limit::price_collar, "price", price, "market", reference_, "percent",
                      *collar);
    }
  }

  void size() {
    const auto wanted = wanted_quantity();
    if (!verdict_.approved()) return;
    verdict_.quantity = round_down(clamp_fixed(wanted), limits_->rules.quantity_step);
    if (!request_.reduce_only) return;
    const auto held = held_against();
    if (held.raw() == 0) return refuse(limit::reduce_only, "position", here_.position);
    const auto lots = round_down(held, limits_->rules.quantity_step);
    verdict_.quantity = std::min(verdict_.quantity, lots);
    if (const auto most = limits_->rules.quantity_max; most.raw() != 0)
      verdict_.quantity = std::min(verdict_.quantity, most);
  }

  /// Units of 1e-8, before rounding down to the lot.
  wide wanted_quantity() {
    const auto amount = request_.amount;
    if (request_.size_by == sizing::quantity) return amount.raw();
    auto notional = to_money(amount);
    if (request_.size_by != sizing::notional) {
      if (equity_ <= 0) {
        refuse(limit::no_equity, "equity", equity_);
        return 0;
      }
      notional = request_.size_by == sizing::percent_of_equity
                     ? percent_of(equity_, amount)
                     : multiply_divide(equity_, amount.raw(), request_.volatility.raw());
    }
    return multiply_divide(notional, fixed::scale, price_.raw());
  }

  /// How much of the position an order of this side could close.
  fixed held_against() const {
    const auto held = here_.position.raw();
    const bool closes = request_.side == side::buy ? held < 0 : held > 0;
    return fixed::from_raw(closes ? std::abs(held) : 0);
  }

  /// Whether it can only make the position smaller, whatever becomes of the open orders.
  bool reduces() const {
    const auto& open = request_.side == side::buy ? here_.open_buys : here_.open_sells;
    return request_.reduce_only ||
           wide{verdict_.quantity.raw()} + open.raw() <= held_against().raw();
  }

  void judge_reducing() {
    if (reduces()) return;
    if (risk_.state_ == trading_state::reducing)
      return refuse(limit::reducing, "position", here_.position);
    const auto& most = risk_.limits_.daily_loss_max;
    const auto lost = day_equity_ - equity_;
    if (most && lost > to_money(*most))
      refuse(limit::daily_loss, "lost", lost, "daily_loss_max", *most);
  }

  void judge_size() {
    const auto& rules = limits_->rules;
    const auto quantity = verdict_.quantity;
    const auto least = std::max(rules.quantity_min, rules.quantity_step);
    if (quantity < least)
      return refuse(limit::quantity_min, "quantity", quantity, "quantity_min", least);
    if (rules.quantity_max.raw() != 0 && quantity > rules.quantity_max)
      return refuse(limit::quantity_max, "quantity", quantity, "quantity_max", rules.quantity_max);
    const auto notional = value_of(quantity, price_, rounding::down);
    if (notional < to_money(rules.notional_min) && !request_.reduce_only)
      return refuse(limit::notional_min, "notional", notional, "notional_min", rules.notional_min);
    if (rules.notional_max.raw() != 0 && notional > to_money(rules.notional_max) && !reduces())
      refuse(limit::notional_max, "notional", notional, "notional_max", rules.notional_max);
  }

  void judge_position() {
    if (request_.reduce_only) return;
    const wide held = here_.position.raw(), quantity = verdict_.quantity.raw();
    const bool buys = request_.side == side::buy;
    const auto worst =
        buys ? held + here_.open_buys.raw() + quantity : here_.open_sells.raw() - held + quantity;
    // Sums of positions and open orders stay within 64 bits, whatever the limits say.
    constexpr wide all = INT64_MAX / 4;
    const auto most = buys ? (limits_->position_max ? wide{limits_->position_max->raw()} : all)
                           : wide{limits_->short_max.raw()};
    if (worst > std::min(most, all))
      refuse(limit::position_limit, buys ? "position" : "short", worst,
             buys ? "position_max" : "short_max", most);
  }

  void judge_exposure() {
    const auto& most = risk_.limits_.gross_exposure_max;
    if (!most || reduces()) return;
    const wide buys = request_.side == side::buy ? verdict_.quantity.raw() : 0;
    const wide sells = verdict_.quantity.raw() - buys;
    const auto price = wide{std::max({here_.mark.raw(), reference_.raw(), price_.raw()})};
    const auto before =
        worst_of(here_.position.raw(), here_.open_buys.raw(), here_.open_sells.raw());
    const auto after = worst_of(here_.position.raw(), here_.open_buys.raw() + buys,
                                here_.open_sells.raw() + sells);
    if (after <= before) return;
    const auto total = exposure_elsewhere() + divide(after * price, fixed::scale, rounding::up);
    if (total > to_money(*most))
      refuse(limit::gross_exposure, "exposure", total, "gross_exposure_max", *most);
  }

  /// Of all other symbols, with what is in flight for them.
  money exposure_elsewhere() const {
    money sum = 0;
    for (std::size_t i = 0; i < facts_.symbols.size(); ++i) {
      if (facts_.names.name(symbol_index{static_cast<std::uint32_t>(i)}) == request_.symbol)
        continue;
      const auto& s = facts_.symbols[i];
      const auto worst = worst_of(s.position.raw(), s.open_buys.raw(), s.open_sells.raw());
      sum += divide(worst * s.mark.raw(), fixed::scale, rounding::up);
    }
    for (const auto& r : risk_.in_flight_)
      if (r.symbol != request_.symbol) sum += value_of(r.quantity, r.price, rounding::up);
    return sum;
  }

  void judge_cash() {
    if (request_.side != side::buy || request_.reduce_only) return;
    const auto& limits = risk_.limits_;
    const auto worst = worst_price(request_, reference_, limits.market_reserve_percent);
    const auto fee = percent_of(worst.raw(), limits.fee_reserve_bps) / 100;
    verdict_.reserve_price =
        limits.fee_reserve_bps.raw() == 0 ? worst : clamp_fixed(wide{worst.raw()} + fee + 1);
    if (!limits.cash_required || reduces()) return;
    const auto needed = value_of(verdict_.quantity, verdict_.reserve_price, rounding::up);
    const auto available = facts_.cash - facts_.reserved - cash_in_flight_;
    if (needed > available) refuse(limit::cash, "needed", needed, "available", available);
  }

  void judge_counts() {
    const auto& limits = risk_.limits_;
    auto open = facts_.open_orders + facts_.children_to_come + children();
    for (const auto& r : risk_.in_flight_) open += 1 + r.children;
    if (limits.open_orders_max && open >= *limits.open_orders_max)
      return refuse(limit::open_orders, "open_orders", open, "open_orders_max",
                    *limits.open_orders_max);
    if (risk_.rate_is_full(request_.decided.time))
      refuse(limit::order_rate, "orders_max", *limits.orders_max, "orders_window_ms",
             std::int64_t{limits.orders_window_ms.count()});
  }

  void approve() {
    risk_.enter_day(*who_, request_.decided.time, equity_);
    risk_.count_order(request_.decided.time);
    const auto counted = request_.reduce_only ? fixed{} : verdict_.quantity;
    const auto cash = value_of(counted, verdict_.reserve_price, rounding::up);
    risk_.in_flight_.push_back({verdict_.number, request_.symbol, request_.side, counted,
                                std::max(reference_, price_), cash, children()});
  }

  std::int64_t children() const { return children_of(request_.take_profit, request_.stop_loss); }

  risk& risk_;
  const order_request& request_;
  const portfolio_facts& facts_;
  verdict verdict_;
  risk::asker* who_ = nullptr;  // Nothing: the request does not say.
  const symbol_limits* limits_ = nullptr;
  symbol_facts here_;  // With what is in flight, marked at the decision.
  money cash_in_flight_ = 0;
  money equity_ = 0;
  money day_equity_ = 0;
  fixed reference_;  // The market, on the side that the order takes from.
  fixed price_;      // What it is valued by.
};

risk::risk(risk_limits limits) : limits_(std::move(limits)) {}

verdict risk::decide(const order_request& request, const portfolio_facts& facts) {
  auto given = risk_hearing(*this, request, facts).decide();
  if (!given.approved()) given.quantity = given.reserve_price = {};
  return given;
}

bool risk::observe(const portfolio_facts& facts) {
  forget_placed(facts.placed);
  return observe_equity(equity_of(facts));
}

void risk::forget_placed(std::int64_t placed) {
  std::erase_if(in_flight_, [placed](const reservation& r) { return r.verdict <= placed; });
}

/// Days in which nobody is any more are forgotten.
void risk::enter_day(asker& who, time_point decided, money equity) {
  const auto day = floor_divide(to_micros(decided), market::day_micros);
  if (who.day && day <= *who.day) return;
  who.day = day;
  days_.try_emplace(day, equity);
  std::erase_if(days_, [this](const auto& kept) {
    return std::ranges::none_of(sessions_,
                                [&kept](const auto& one) { return one.second.day == kept.first; });
  });
}

bool risk::observe_equity(money equity) {
  peak_ = std::max(peak_.value_or(equity), equity);
  const auto& most = limits_.drawdown_max_percent;
  if (!most || *peak_ <= 0 || state_ == trading_state::halted) return false;
  if (*peak_ - equity <= percent_of(*peak_, *most)) return false;
  state_ = trading_state::halted;
  by_drawdown_ = true;
  return true;
}

void risk::set_limits(risk_limits limits) {
  if (!limits.orders_max) approvals_.clear();
  limits_ = std::move(limits);
}

void risk::set_state(trading_state to) {
  if (to != trading_state::halted) peak_.reset();
  state_ = to;
  by_drawdown_ = false;
}

/// Whether some window around this time would have too many with it.
bool risk::rate_is_full(time_point time) const {
  if (!limits_.orders_max) return false;
  const wide length = std::chrono::microseconds(limits_.orders_window_ms).count();
  const wide now = to_micros(time);
  std::vector<wide> near{now};
  for (const wide one : approvals_)
    if (one > now - length && one < now + length) near.push_back(one);
  std::ranges::sort(near);
  const auto last = std::ranges::upper_bound(near, now);
  return std::any_of(near.begin(), last, [&](const wide& first) {
    const auto end = std::ranges::lower_bound(near, first + length);
    return end - near.begin() - (&first - near.data()) > *limits_.orders_max;
  });
}

void risk::count_order(time_point time) {
  if (!limits_.orders_max) return;
  approvals_.push_back(to_micros(time));
  while (std::ssize(approvals_) > approvals_kept * *limits_.orders_max) approvals_.pop_front();
}

}  // namespace troupe::trading
