#include "actors/trading/strategies/catalog.hpp"

namespace troupe::trading {

const std::vector<strategy_def>& all_strategies() {
  static const std::vector<strategy_def> all{
      sma_cross_def(),          ema_cross_def(),  rsi_reversion_def(), macd_def(),
      bollinger_breakout_def(), grid_maker_def(), buy_and_hold_def()};
  return all;
}

}  // namespace troupe::trading
