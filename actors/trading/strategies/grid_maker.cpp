#include <cmath>

#include "actors/trading/strategies/catalog.hpp"

namespace troupe::trading {

namespace {

struct grid_shape {
  std::int64_t levels;
  double spacing;  // Share of the price between two levels.
  double inventory_max;
};

/// Keeps buy orders below the price and sell orders above it, at even distances. The grid is laid
/// anew when the price has moved by one level or something has been filled.
class grid_maker final : public strategy {
 public:
  explicit grid_maker(grid_shape shape) : shape_(shape) {}

  void on_quote(const market_view& view, const market::top_of_book& top, orders& with) override {
    if (top.bid > fixed() && top.ask > fixed())
      look_at((top.bid.to_double() + top.ask.to_double()) / 2, view, with);
  }
  /// Only where there are no quotes to go by.
  void on_trade(const market_view& view, const market::market_event& trade, orders& with) override {
    if (view.now.bid == fixed() && view.now.ask == fixed())
      look_at(trade.price.to_double(), view, with);
  }
  void state(state_fields& v) override {
    v("center", center_);
    v("held", held_);
  }

 private:
  void look_at(double price, const market_view& view, orders& with) {
    const bool moved = std::abs(price - center_) >= center_ * shape_.spacing;
    const bool filled = with.position() != held_;
    if (!with.active() || (!moved && !filled)) return;
    with.cancel_all();
    lay(price, view, with);
  }

  void lay(double price, const market_view& view, orders& with) {
    center_ = price;
    held_ = with.position();
    const double held = held_.to_double();
    for (std::int64_t level = 1; level <= shape_.levels; ++level) {
      const double away = price * shape_.spacing * static_cast<double>(level);
      if (held < shape_.inventory_max) put(side::buy, price - away, view, with);
      if (held > -shape_.inventory_max) put(side::sell, price + away, view, with);
    }
  }

  void put(side s, double price, const market_view& view, orders& with) {
    order_request wish;
    wish.side = s;
    wish.type = order_type::limit;
    wish.post_only = true;
    wish.limit = orders::price_near(view.rules, price, s == side::sell);
    if (wish.limit <= fixed()) return;
    with.place(std::move(wish));
  }

  grid_shape shape_;
  double center_ = 0;  // Price about which it was laid.
  fixed held_;         // Position when the grid was laid.
};

}  // namespace

strategy_def grid_maker_def() {
  return {
      "grid_maker",
      "keeps limit orders of the usual size at even distances below and above the price",
      {{"levels", 3, 1, 50, true, "orders on each side"},
       {"spacing_bps", 10, 0.1, 5000, false, "distance of two orders, basis points of the price"},
       {"inventory_max", 1000, 0, 1e9, false,
        "position, long or short, from which on it adds no more, units of the instrument"}},
      [](const parameter_values& p) -> std::unique_ptr<strategy> {
        return std::make_unique<grid_maker>(grid_shape{static_cast<std::int64_t>(p["levels"]),
                                                       p["spacing_bps"] / 1e4, p["inventory_max"]});
      },
      {},
      true};
}

}  // namespace troupe::trading
