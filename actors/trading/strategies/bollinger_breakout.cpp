#include "actors/market/indicators/volatility.hpp"
#include "actors/trading/strategies/catalog.hpp"
#include "actors/trading/strategies/long_or_flat.hpp"

namespace troupe::trading {

namespace {

using market::indicators::bbands;

class bollinger_breakout final : public strategy {
 public:
  bollinger_breakout(std::uint32_t period, double width)
      : bands_(bbands{market::indicators::moving_deviation(period), width}) {}

  void on_bar(const market_view&, const market::price_bar& bar, orders& with) override {
    const auto in = market::indicator_bar_of(bar);
    const auto [upper, middle, lower] = bands_.update(in);
    if (in.close > upper) mind_.want(true, with);
    if (in.close < middle) mind_.want(false, with);
  }
  void state(state_fields& v) override {
    v("bands", bands_);
    mind_.state(v);
  }

 private:
  indicator<bbands> bands_;
  long_or_flat mind_;
};

}  // namespace

strategy_def bollinger_breakout_def() {
  return {
      "bollinger_breakout",
      "buys when the close is above the upper Bollinger band, sells when it is below the middle",
      {bars_parameter("period", 20, 2, "bars of the bands"),
       {"width", 2, 0.1, 10, false, "distance of the bands, in standard deviations"}},
      [](const parameter_values& p) -> std::unique_ptr<strategy> {
        return std::make_unique<bollinger_breakout>(p.count("period"), p["width"]);
      },
      {}};
}

}  // namespace troupe::trading
