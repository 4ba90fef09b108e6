#include "actors/market/indicators/oscillators.hpp"
#include "actors/trading/strategies/catalog.hpp"
#include "actors/trading/strategies/long_or_flat.hpp"

namespace troupe::trading {

namespace {

using market::indicators::rsi;

class rsi_reversion final : public strategy {
 public:
  rsi_reversion(std::uint32_t period, double low, double high)
      : rsi_(rsi{market::indicators::relative_strength(period)}), low_(low), high_(high) {}

  void on_bar(const market_view&, const market::price_bar& bar, orders& with) override {
    const auto now = rsi_.update(market::indicator_bar_of(bar))[0];
    if (now < low_) mind_.want(true, with);
    if (now > high_) mind_.want(false, with);
  }
  void state(state_fields& v) override {
    v("rsi", rsi_);
    mind_.state(v);
  }

 private:
  indicator<rsi> rsi_;
  double low_, high_;
  long_or_flat mind_;
};

}  // namespace

strategy_def rsi_reversion_def() {
  return {"rsi_reversion",
          "buys when the relative strength index is below low, sells when it is above high",
          {bars_parameter("period", 14, 2, "bars of the index"),
           {"low", 30, 0, 100, false, "index below which it buys"},
           {"high", 70, 0, 100, false, "index above which it sells"}},
          [](const parameter_values& p) -> std::unique_ptr<strategy> {
            return std::make_unique<rsi_reversion>(p.count("period"), p["low"], p["high"]);
          },
          [](const parameter_values& p) -> std::string {
            if (p["low"] < p["high"]) return {};
            return "parameter low is " + number_text(p["low"]) + ", and must be less than high (" +
                   number_text(p["high"]) + ')';
          }};
}

}  // namespace troupe::trading
