#include "actors/market/indicators/oscillators.hpp"
#include "actors/trading/strategies/catalog.hpp"
#include "actors/trading/strategies/long_or_flat.hpp"

namespace troupe::trading {

namespace {

using market::indicators::exponential_average;

class macd final : public strategy {
 public:
  macd(std::uint32_t fast, std::uint32_t slow, std::uint32_t signal)
      : macd_(market::indicators::macd{exponential_average(fast), exponential_average(slow),
                                       exponential_average(signal)}) {}

  void on_bar(const market_view&, const market::price_bar& bar, orders& with) override {
    const auto [line, signal, difference] = macd_.update(market::indicator_bar_of(bar));
    if (difference > 0) mind_.want(true, with);
    if (difference < 0) mind_.want(false, with);
  }
  void state(state_fields& v) override {
    v("macd", macd_);
    mind_.state(v);
  }

 private:
  indicator<market::indicators::macd> macd_;
  long_or_flat mind_;
};

}  // namespace

strategy_def macd_def() {
  return {"macd",
          "long while the MACD line is above its signal, flat while below",
          {bars_parameter("fast", 12, 2, "bars of the fast average"),
           bars_parameter("slow", 26, 3, "bars of the slow average"),
           bars_parameter("signal", 9, 1, "bars of the signal")},
          [](const parameter_values& p) -> std::unique_ptr<strategy> {
            return std::make_unique<macd>(p.count("fast"), p.count("slow"), p.count("signal"));
          },
          fast_slow_conflict};
}

}  // namespace troupe::trading
