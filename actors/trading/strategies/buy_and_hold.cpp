#include "actors/trading/strategies/catalog.hpp"
#include "actors/trading/strategies/long_or_flat.hpp"

namespace troupe::trading {

namespace {

/// Buys on the first thing that it sees of the market.
class buy_and_hold final : public strategy {
 public:
  void on_bar(const market_view&, const market::price_bar&, orders& with) override {
    mind_.want(true, with);
  }
  void on_trade(const market_view&, const market::market_event&, orders& with) override {
    mind_.want(true, with);
  }
  void on_quote(const market_view&, const market::top_of_book&, orders& with) override {
    mind_.want(true, with);
  }
  void state(state_fields& v) override { mind_.state(v); }

 private:
  long_or_flat mind_;
};

}  // namespace

strategy_def buy_and_hold_def() {
  return {"buy_and_hold",
          "buys once and never sells",
          {},
          [](const parameter_values&) -> std::unique_ptr<strategy> {
            return std::make_unique<buy_and_hold>();
          },
          {}};
}

}  // namespace troupe::trading
