#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "actors/trading/strategy.hpp"

namespace troupe::trading::test {

/// Asks for orders of any kind, drawn from a seed: types, times in force, sizes, groups, brackets;
/// cancels some, and closes what it holds. Some of what it asks for makes no sense.
class drawn_strategy final : public strategy {
 public:
  explicit drawn_strategy(std::int64_t seed) : random_(seed) {}

  void on_bar(const market_view& view, const market::price_bar&, orders& with) override {
    decide(view, with);
  }
  void on_trade(const market_view& view, const market::market_event&, orders& with) override {
    decide(view, with);
  }
  void on_quote(const market_view& view, const market::top_of_book&, orders& with) override {
    decide(view, with);
  }
  void state(state_fields& v) override { v("random", random_); }

 private:
  /// Knuth's MMIX generator: a state of one number.
  std::int64_t below(std::int64_t n) {
    const auto next =
        static_cast<std::uint64_t>(random_) * 6364136223846793005u + 1442695040888963407u;
    random_ = static_cast<std::int64_t>(next);
    return static_cast<std::int64_t>((next >> 33) % static_cast<std::uint64_t>(n));
  }
  bool one_in(std::int64_t n) { return below(n) == 0; }
  fixed ticks_from(fixed price, std::int64_t most) {
    constexpr std::int64_t tick = fixed::scale / 100;
    return fixed::from_raw(std::max(tick, price.raw() + (below(2 * most + 1) - most) * tick));
  }

  void decide(const market_view& view, orders& with) {
    const auto& now = view.now;
    const auto last = now.last > fixed() ? now.last : now.bid;
    if (last <= fixed() || !one_in(3)) return;
    const auto& open = with.open();
    if (!open.empty() && one_in(6))
      with.cancel(open[static_cast<std::size_t>(below(std::ssize(open)))].number);
    if (one_in(40)) with.cancel_all();
    if (one_in(12)) with.close_position();
    if (open.size() > 8) return;
    with.place(drawn(now, last));
  }

  order_request drawn(const decision_point& now, fixed last) {
    order_request wish;
    wish.side = one_in(2) ? side::buy : side::sell;
    wish.type = static_cast<order_type>(below(5));
    const bool limit = wish.type == order_type::limit || wish.type == order_type::stop_limit;
    const bool stop = wish.type == order_type::stop || wish.type == order_type::stop_limit;
    if (limit) wish.limit = ticks_from(last, 25);
    if (stop) wish.stop = ticks_from(last, 25);
    if (wish.type == order_type::trailing_stop) wish.trail = ticks_from(fixed(), 30);
    wish.in_force = static_cast<time_in_force>(below(5));
    if (wish.type > order_type::limit && wish.in_force < time_in_force::day)
      wish.in_force = time_in_force::gtc;
    if (wish.in_force == time_in_force::gtd)
      wish.good_till = now.time + std::chrono::seconds(1 + below(900));
    wish.post_only = limit && wish.in_force != time_in_force::ioc && one_in(4);
    wish.reduce_only = one_in(4);
    if (one_in(2)) wish.amount = fixed::from_raw((1 + below(25)) * fixed::scale);
    if (one_in(3)) wish.oco_group = "g" + std::to_string(below(3));
    if (wish.reduce_only || !one_in(3)) return wish;
    constexpr std::int64_t tick = fixed::scale / 100;
    const auto away = (wish.side == side::buy ? 1 : -1) * tick;
    const auto from = limit ? wish.limit : last;
    if (!one_in(4)) wish.take_profit = fixed::from_raw(from.raw() + (3 + below(25)) * away);
    if (!one_in(4)) wish.stop_loss = fixed::from_raw(from.raw() - (3 + below(25)) * away);
    return wish;
  }

  std::int64_t random_;
};

/// The session strategy `drawn`, parameter `seed`; known from the first call on.
inline const std::string& drawn() {
  static const std::string name = [] {
    add_strategy({"drawn",
                  "asks for orders of any kind",
                  {{"seed", 1, 0, 1e9, true, "of what it draws"}},
                  [](const parameter_values& p) -> std::unique_ptr<strategy> {
                    return std::make_unique<drawn_strategy>(static_cast<std::int64_t>(p["seed"]));
                  },
                  {}});
    return std::string("drawn");
  }();
  return name;
}

/// Events of one symbol with the details of its bars.
struct stretch {
  std::vector<market::market_event> events;
  std::vector<market::ohlcv> details;
};

/// A seeded walk, other symbols' records between its offsets. It begins at 22:14 UTC.
class drawn_market {
 public:
  explicit drawn_market(std::uint32_t seed) : random_(seed) {}

  /// Trades and quotes, up to so far apart.
  stretch ticks(std::size_t count, std::int64_t apart_ms) {
    stretch all;
    while (all.events.size() < count) {
      time_ += 1'000 * (1 + below(apart_ms));
      add_tick(all);
    }
    return all;
  }
  /// Bars of a period; now and then one or more are missing.
  stretch bars(std::size_t count, market::period length) {
    stretch all;
    while (all.events.size() < count) {
      add_bar(all, length, drawn_bar());
      time_ += length_of(length) * (below(8) == 0 ? 1 + below(4) : 1);
    }
    return all;
  }
  /// Trades and quotes, and among them bars of one and of five minutes, each when it closes.
  stretch mixed(std::size_t count, std::int64_t apart_ms) {
    stretch all;
    std::map<market::period, market::ohlcv> forming;
    while (all.events.size() < count) {
      const auto before = time_;
      time_ += 1'000 * (1 + below(apart_ms));
      for (auto& [length, x] : forming)
        if (market::floor_to(before, length_of(length)) !=
            market::floor_to(time_, length_of(length))) {
          const auto now = std::exchange(time_, market::floor_to(before, length_of(length)));
          if (x.open > fixed()) add_bar(all, length, x);
          x = {};
          time_ = now;
        }
      add_tick(all);
      if (all.events.back().kind != market::event_kind::trade) continue;
      for (const auto length : {market::period::m1, market::period::m5})
        fold(forming[length], all.events.back().price);
    }
    return all;
  }

 private:
  std::int64_t below(std::int64_t n) {
    return static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(n));
  }
  fixed cents(std::int64_t n) { return fixed::from_raw(n * (fixed::scale / 100)); }
  fixed units(std::int64_t n) { return fixed::from_raw(n * fixed::scale); }
  std::int64_t walk() {
    price_ = std::max<std::int64_t>(5'000, price_ + below(31) - 15);
    return price_;
  }

  void add_tick(stretch& to) {
    market::market_event e;
    e.offset = offset_ += 1 + below(3);
    e.time = time_;
    e.price = cents(walk());
    e.size = units(1 + below(40));
    if (below(2) == 0) {
      e.kind = market::event_kind::quote;
      e.flags = market::market_event::has_bid | market::market_event::has_ask;
      e.ask = cents(price_ + 1 + below(4));
      e.ask_size = e.size;
    }
    to.events.push_back(e);
  }
  void add_bar(stretch& to, market::period length, const market::ohlcv& x) {
    market::market_event e;
    e.kind = market::event_kind::bar;
    e.length = length;
    e.offset = offset_ += 1 + below(3);
    e.time = time_;
    e.detail = static_cast<std::uint32_t>(to.details.size());
    to.events.push_back(e);
    to.details.push_back(x);
  }
  market::ohlcv drawn_bar() {
    market::ohlcv x;
    for (int i = 0; i < 4; ++i) fold(x, cents(walk()));
    return x;
  }
  static void fold(market::ohlcv& x, fixed price) {
    if (x.open == fixed()) x.open = x.high = x.low = price;
    x.high = std::max(x.high, price);
    x.low = std::min(x.low, price);
    x.close = price;
    x.volume += fixed::scale;
  }

  std::mt19937 random_;
  std::int64_t price_ = 10'000, offset_ = 0, time_ = 1'700'000'040'000'000;
};

}  // namespace troupe::trading::test
