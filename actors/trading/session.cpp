#include "actors/trading/session.hpp"

#include <algorithm>

#include "actors/trading/session_slot.hpp"
#include "runtime/base/ensure.hpp"

namespace troupe::trading {

using market::event_kind;
using market::market_event;

namespace {

std::shared_ptr<const market::symbol_rules> market_rules_of(market::period bars) {
  market::market_options options;
  options.periods = {std::string(name_of(bars))};
  options.indicators.clear();
  return std::make_shared<const market::symbol_rules>(options);
}

double bars_a_day(market::period p) {
  return static_cast<double>(market::day_micros) / static_cast<double>(length_of(p));
}

/// Hears the bars that an event closes.
template <class OnBar>
class bar_listener final : public market::symbol_listener {
 public:
  explicit bar_listener(OnBar on_bar) : on_bar_(on_bar) {}
  void bar_closed(market::period, const market::price_bar& closed,
                  std::span<const double>) override {
    on_bar_(closed);
  }
  void second_ended(std::int64_t, const market::top_of_book&) override {}

 private:
  OnBar on_bar_;
};

void follow(market_view& view, const market_event& e, const market::ohlcv& detail) {
  view.now.offset = e.offset;
  view.now.time = from_micros(e.time);
  if (e.kind == event_kind::trade) view.now.last = e.price;
  if (e.kind != event_kind::bar) return;
  view.now.last = detail.close;
  view.now.time = from_micros(e.time + length_of(e.length));
}

bool only_moves_the_cursor(const market_event& e) {
  return e.kind == event_kind::ticker || (e.flags & market_event::forming) != 0;
}

}  // namespace

session::slot::slot(const session_settings& all, const instrument& rules,
                    const market::symbol_rules& market_rules)
    : view{rules.symbol, rules, {}},
      market(market_rules),
      strategy(make_strategy(*find_strategy(all.strategy), all.parameters)) {
  desk.size_ = all.size;
}

session::session(session_settings settings)
    : settings_(std::move(settings)), rules_(market_rules_of(settings_.bars)) {
  ensure(check(settings_).refusal == session_refusal::none, "settings are checked before");
  for (const auto& one : settings_.instruments)
    slots_.push_back(std::make_unique<slot>(settings_, one, *rules_));
}

session::~session() = default;

std::optional<std::size_t> session::index_of(std::string_view symbol) const {
  for (std::size_t i = 0; i < slots_.size(); ++i)
    if (slots_[i]->view.symbol == symbol) return i;
  return std::nullopt;
}

session_answer session::obey(session_command command, session_effects& out) {
  const auto next = next_phase(phase_, command);
  if (!next)
    return {session_refusal::wrong_phase, "session " + settings_.name + " is " +
                                              std::string(name_of(phase_)) +
                                              "; that phase allows " + commands_allowed(phase_)};
  phase_ = *next;
  for (auto& s : slots_) {
    s->desk.active_ = phase_ == session_phase::running;
    if (phase_ != session_phase::stopped) continue;
    for (const auto& order : s->desk.open_)
      if (!order.id.empty()) out.cancels.push_back(order.id);
  }
  return {};
}

bool session::ready(std::size_t symbol, std::int64_t offset) const {
  const auto& s = *slots_[symbol];
  if (phase_ != session_phase::running && phase_ != session_phase::paused) return false;
  if (s.unanswered > 0) return false;
  if (!settings_.venue_tells || s.known >= offset) return true;
  return s.desk.open_.empty() && s.known >= s.awaited;
}

void session::take(std::size_t symbol, const market_event& e, const market::ohlcv& detail,
                   session_effects& out) {
  auto& s = *slots_[symbol];
  ensure(ready(symbol, e.offset), "a session takes events when it is ready");
  if (e.offset <= s.cursor) return;
  s.cursor = e.offset;
  if (only_moves_the_cursor(e)) return;
  const bool measures = settings_.size.by == sizing::volatility_target;
  decision now{settings_.name,
               settings_.venue_tells,
               s.view,
               last_number_,
               measures ? s.volatility.daily_percent(bars_a_day(settings_.bars)) : 0,
               out};
  const auto asked_before = out.requests.size(), canceled_before = out.cancels.size();
  s.desk.now_ = &now;
  bar_listener listener([&](const market::price_bar& closed) {
    if (measures) {
      s.volatility.add(closed.close.to_double());
      now.volatility = s.volatility.daily_percent(bars_a_day(settings_.bars));
    }
    s.strategy->on_bar(s.view, closed, s.desk);
  });
  const auto before = s.view.now;
  follow(s.view, e, detail);
  if (s.market.apply(e, detail, listener)) {
    s.view.now = before;
  } else if (e.kind == event_kind::trade) {
    s.strategy->on_trade(s.view, e, s.desk);
  } else if (e.kind == event_kind::quote) {
    const auto& top = s.market.quote().top;
    s.view.now.bid = top.bid;
    s.view.now.ask = top.ask;
    s.strategy->on_quote(s.view, top, s.desk);
  }
  s.desk.now_ = nullptr;
  s.unanswered += static_cast<std::int64_t>(out.requests.size() - asked_before);
  // What was told of later events was told without what has just been decided.
  if (out.requests.size() != asked_before || out.cancels.size() != canceled_before)
    s.known = std::min(s.known, e.offset);
}

void session::set_cursor(std::size_t symbol, std::int64_t offset) {
  slots_[symbol]->cursor = offset;
}

std::int64_t session::cursor(std::size_t symbol) const {
  return slots_[symbol]->cursor;
}

own_order* session::open_order(std::int64_t number, slot*& of) {
  for (auto& s : slots_)
    for (auto& order : s->desk.open_)
      if (order.number == number) return of = s.get(), &order;
  return nullptr;
}

own_order* session::open_order(std::string_view id, slot*& of) {
  for (auto& s : slots_)
    for (auto& order : s->desk.open_)
      if (order.id == id) return of = s.get(), &order;
  return nullptr;
}

void session::end(slot& of, const own_order& order) {
  of.desk.open_.erase(of.desk.open_.begin() + (&order - of.desk.open_.data()));
}

void session::approved(std::int64_t number, std::string id, fixed quantity, session_effects& out) {
  slot* of = nullptr;
  auto* const order = open_order(number, of);
  if (order == nullptr || !order->id.empty()) return;
  --of->unanswered;
  if (phase_ == session_phase::stopped) out.cancels.push_back(id);
  order->id = std::move(id);
  order->quantity = quantity;
}

void session::denied(std::int64_t number) {
  slot* of = nullptr;
  const auto* const order = open_order(number, of);
  if (order == nullptr || !order->id.empty()) return;
  --of->unanswered;
  end(*of, *order);
}

void session::child_placed(std::size_t symbol, own_order child, session_effects& out) {
  slot* of = nullptr;
  if (open_order(child.id, of) != nullptr) return;
  if (phase_ == session_phase::stopped) out.cancels.push_back(child.id);
  slots_[symbol]->desk.open_.push_back(std::move(child));
}

void session::order_resized(std::string_view id, fixed quantity) {
  slot* of = nullptr;
  if (auto* const order = open_order(id, of)) order->quantity = quantity;
}

void session::order_changed(std::string_view id, order_status status) {
  slot* of = nullptr;
  auto* const order = id.empty() ? nullptr : open_order(id, of);
  if (order == nullptr) return;
  order->status = status;
  if (is_final(status)) end(*of, *order);
}

void session::filled(const fill& f) {
  const auto at = index_of(f.symbol);
  ensure(at.has_value(), "a fill of a symbol that the session does not trade");
  auto& desk = slots_[*at]->desk;
  const auto position = f.side == side::buy ? checked_add(desk.position_, f.quantity)
                                            : checked_subtract(desk.position_, f.quantity);
  ensure(position.has_value(), "a position fits into 64 bits");
  desk.position_ = *position;
  slot* of = nullptr;
  if (auto* const order = open_order(f.order, of))
    order->filled = fixed::from_raw(order->filled.raw() + f.quantity.raw());
}

void session::effects_awaited(std::size_t symbol, std::int64_t offset) {
  slots_[symbol]->awaited = offset;
}

bool session::waits_for_effects(std::size_t symbol) const {
  return slots_[symbol]->known < slots_[symbol]->awaited;
}

void session::effects_known(std::size_t symbol, std::int64_t offset) {
  auto& known = slots_[symbol]->known;
  known = std::max(known, offset);
}

fixed session::position(std::size_t symbol) const {
  return slots_[symbol]->desk.position_;
}

const std::vector<own_order>& session::open_orders(std::size_t symbol) const {
  return slots_[symbol]->desk.open_;
}

const market::symbol_counters& session::counters(std::size_t symbol) const {
  return slots_[symbol]->market.counters();
}

const market_view& session::view(std::size_t symbol) const {
  return slots_[symbol]->view;
}

}  // namespace troupe::trading
