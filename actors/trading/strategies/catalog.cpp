#include "actors/trading/strategies/catalog.hpp"

#include "runtime/base/ensure.hpp"

namespace troupe::trading {

namespace {

std::vector<strategy_def>& catalog() {
  static std::vector<strategy_def> all{
      sma_cross_def(),          ema_cross_def(),  rsi_reversion_def(), macd_def(),
      bollinger_breakout_def(), grid_maker_def(), buy_and_hold_def()};
  return all;
}

}  // namespace

const std::vector<strategy_def>& all_strategies() {
  return catalog();
}

void add_strategy(strategy_def one) {
  ensure(find_strategy(one.name) == nullptr, "strategies have different names");
  catalog().push_back(std::move(one));
}

}  // namespace troupe::trading
