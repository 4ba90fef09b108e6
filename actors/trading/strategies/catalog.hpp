#pragma once

#include "actors/trading/strategy.hpp"

namespace troupe::trading {

strategy_def sma_cross_def();
strategy_def ema_cross_def();
strategy_def rsi_reversion_def();
strategy_def macd_def();
strategy_def bollinger_breakout_def();
strategy_def grid_maker_def();
strategy_def buy_and_hold_def();

}  // namespace troupe::trading
