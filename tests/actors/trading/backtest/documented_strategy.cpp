#include "actors/trading/strategy.hpp"

namespace troupe::trading {

namespace {

/// Buys when closes have fallen so many times in a row, and sells at a profit or a loss of so many
/// percent.
class dip_buyer final : public strategy {
 public:
  dip_buyer(std::int64_t falls, double percent) : falls_(falls), share_(percent / 100) {}

  void on_bar(const market_view&, const market::price_bar& bar, orders& with) override {
    fallen_ = bar.close < last_ ? fallen_ + 1 : 0;
    last_ = bar.close;
    if (!with.open().empty()) return;  // What was asked for last is still under way.
    if (with.position() == fixed() && fallen_ >= falls_) {
      paid_ = bar.close.to_double();
      with.buy();
    } else if (with.position() > fixed() && std::abs(bar.close.to_double() / paid_ - 1) >= share_) {
      with.close_position();
    }
  }

  void state(state_fields& v) override {
    v("last", last_);
    v("fallen", fallen_);
    v("paid", paid_);
  }

 private:
  std::int64_t falls_;  // Parameters are not state.
  double share_;
  fixed last_;
  std::int64_t fallen_ = 0;
  double paid_ = 0;
};

}  // namespace

strategy_def dip_buyer_def() {
  return {"dip_buyer",
          "buys after closes have fallen several times in a row, sells at a profit or loss",
          {{"falls", 3, 1, 20, true, "falling closes in a row before it buys"},
           {"percent", 2, 0.1, 50, false, "profit or loss at which it sells, percent"}},
          [](const parameter_values& p) -> std::unique_ptr<strategy> {
            return std::make_unique<dip_buyer>(static_cast<std::int64_t>(p["falls"]), p["percent"]);
          },
          {}};
}

}  // namespace troupe::trading
