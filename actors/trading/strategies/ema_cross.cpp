#include "actors/market/indicators/averages.hpp"
#include "actors/trading/strategies/catalog.hpp"
#include "actors/trading/strategies/long_or_flat.hpp"

namespace troupe::trading {

namespace {

using market::indicators::ema;

class ema_cross final : public strategy {
 public:
  ema_cross(std::uint32_t fast, std::uint32_t slow)
      : fast_(ema{market::indicators::exponential_average(fast)}),
        slow_(ema{market::indicators::exponential_average(slow)}) {}

  void on_bar(const market_view&, const market::price_bar& bar, orders& with) override {
    const auto in = market::indicator_bar_of(bar);
    const auto fast = fast_.update(in)[0], slow = slow_.update(in)[0];
    if (fast > slow) mind_.want(true, with);
    if (fast < slow) mind_.want(false, with);
  }
  void state(state_fields& v) override {
    v("fast", fast_);
    v("slow", slow_);
    mind_.state(v);
  }

 private:
  indicator<ema> fast_, slow_;
  long_or_flat mind_;
};

}  // namespace

strategy_def ema_cross_def() {
  return {"ema_cross",
          "long while the fast exponential average of closes is above the slow one, flat while "
          "below",
          {bars_parameter("fast", 12, 1, "bars of the fast average"),
           bars_parameter("slow", 26, 2, "bars of the slow average")},
          [](const parameter_values& p) -> std::unique_ptr<strategy> {
            return std::make_unique<ema_cross>(p.count("fast"), p.count("slow"));
          },
          fast_slow_conflict};
}

}  // namespace troupe::trading
