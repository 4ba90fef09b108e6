#include "actors/trading/strategy.hpp"

#include <algorithm>
#include <cmath>

#include "runtime/base/ensure.hpp"

namespace troupe::trading {

std::int64_t orders::market(trading::side s) {
  order_request wish;
  wish.side = s;
  return place(std::move(wish));
}

std::int64_t orders::close_position() {
  if (position_ == fixed()) return 0;
  order_request wish;
  wish.side = position_ > fixed() ? side::sell : side::buy;
  wish.amount = position_ > fixed() ? position_ : fixed::from_raw(-position_.raw());
  wish.reduce_only = true;
  return place(std::move(wish));
}

std::int64_t orders::place(order_request wish) {
  if (!active_) return 0;
  ensure(now_ != nullptr, "orders are placed while a strategy decides");
  if (wish.amount == fixed()) {
    wish.size_by = size_.by;
    wish.amount = size_.amount;
  }
  if (wish.size_by == sizing::volatility_target && now_->volatility <= 0) return 0;
  wish.session = now_->session;
  wish.number = ++now_->last_number;
  wish.symbol = now_->view.symbol;
  wish.decided = now_->view.now;
  wish.paced = now_->paced;
  if (wish.size_by == sizing::volatility_target)
    wish.volatility = fixed::from_raw(std::llround(now_->volatility * fixed::scale));
  open_.push_back({wish.number,
                   {},
                   wish.side,
                   wish.type,
                   wish.limit,
                   wish.stop,
                   {},
                   {},
                   order_status::pending,
                   false});
  now_->out.requests.push_back(std::move(wish));
  return now_->last_number;
}

bool orders::cancel(std::int64_t number) {
  bool found = false;
  for (const auto& order : open_) {
    if (!active_ || order.number != number || order.id.empty()) continue;
    ask_cancel(order);
    found = true;
    if (!order.child) break;  // It stands before its children, which guard what it has filled.
  }
  return found;
}

void orders::cancel_all() {
  for (const auto& order : open_)
    if (active_ && !order.id.empty()) ask_cancel(order);
}

void orders::ask_cancel(const own_order& order) {
  ensure(now_ != nullptr, "orders are canceled while a strategy decides");
  now_->out.cancels.push_back(order.id);
}

fixed orders::price_near(const instrument& rules, double price, bool up) {
  const auto step = rules.price_step.raw();
  const double steps = price * static_cast<double>(fixed::scale) / static_cast<double>(step);
  return fixed::from_raw(static_cast<std::int64_t>(up ? std::ceil(steps) : std::floor(steps)) *
                         step);
}

const strategy_def* find_strategy(std::string_view name) {
  for (const auto& one : all_strategies())
    if (one.name == name) return &one;
  return nullptr;
}

std::string strategy_names() {
  std::string names;
  for (const auto& one : all_strategies()) (names += names.empty() ? "" : ", ") += one.name;
  return names;
}

std::vector<std::string> parameter_violations(const strategy_def& of,
                                              const given_parameters& given) {
  std::vector<std::string> wrong;
  const parameter_values values(of.parameters, given, wrong);
  if (!wrong.empty() || !of.conflict) return wrong;
  if (auto conflict = of.conflict(values); !conflict.empty()) wrong.push_back(std::move(conflict));
  return wrong;
}

std::unique_ptr<strategy> make_strategy(const strategy_def& of, const given_parameters& given) {
  std::vector<std::string> wrong;
  const parameter_values values(of.parameters, given, wrong);
  ensure(wrong.empty(), "parameters are checked before a strategy is made");
  return of.make(values);
}

}  // namespace troupe::trading
