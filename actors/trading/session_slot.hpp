#pragma once

#include "actors/trading/bar_volatility.hpp"
#include "actors/trading/session.hpp"

namespace troupe::trading {

/// What a session keeps of one symbol.
struct session::slot {
  slot(const session_settings& all, const instrument& rules,
       const market::symbol_rules& market_rules);

  market_view view;
  market::symbol market;  // Bars, best prices, and which events count.
  std::unique_ptr<trading::strategy> strategy;
  orders desk;
  bar_volatility volatility;
  std::int64_t cursor = -1;
  std::int64_t known = -1;      // Effects are known up to this offset ...
  std::int64_t awaited = -1;    // ... and have been asked for up to this one.
  std::int64_t unanswered = 0;  // Requests without a verdict.
};

}  // namespace troupe::trading
