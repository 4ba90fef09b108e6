#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "actors/trading/fields.hpp"
#include "actors/trading/order.hpp"

namespace troupe::trading {

/// Limits of one symbol; nothing: no such limit.
struct symbol_limits {
  instrument rules;
  std::optional<fixed> position_max;          // Long, in units of the instrument.
  fixed short_max;                            // Short, without sign; 0: no short positions.
  std::optional<fixed> price_collar_percent;  // How far order prices may be from the market.
  bool operator==(const symbol_limits&) const = default;
};

/// Limits of one portfolio; nothing: no such limit.
struct risk_limits {
  std::optional<fixed> gross_exposure_max;    // Sum of positions and open orders at their worst.
  std::optional<fixed> daily_loss_max;        // Since the first decision of the UTC day.
  std::optional<fixed> drawdown_max_percent;  // Equity below its peak: trading halts by itself.
  std::optional<std::int64_t> open_orders_max;
  std::optional<std::int64_t> orders_max;            // Approved ones in any span of this length ...
  std::chrono::milliseconds orders_window_ms{1000};  // ... of the decisions' time.
  bool cash_required = true;                         // Buys need cash.
  fixed market_reserve_percent = fixed::from_raw(5 * fixed::scale);  // Buys at no stated price ...
  fixed fee_reserve_bps;  // ... and all buys reserve this much more cash.
  std::map<std::string, symbol_limits, std::less<>> symbols;  // `*`: every symbol not named here.

  /// Nothing: the symbol is unknown.
  const symbol_limits* find(std::string_view symbol) const;
  bool operator==(const risk_limits&) const = default;
};

/// Limits of portfolios as operators write them (config/risk_limits.json):
///
///     {"default": LIMITS, "portfolios": {"p1": LIMITS}}
///
/// A portfolio's limits are the default's with its own laid over them, member by member (RFC 7396:
/// null takes a limit away); within `symbols` every symbol is laid over `*` in the same way.
///
/// Puts the limits of `portfolio` together, or reports everything that is wrong in the whole
/// document.
std::optional<risk_limits> parse_risk_limits(const nlohmann::json& document,
                                             std::string_view portfolio, faults& wrong);
/// One LIMITS object by itself, as the risk check stores it.
std::optional<risk_limits> parse_limits(const nlohmann::json& limits, std::string path,
                                        faults& wrong);
/// LIMITS with a change laid over them; null takes a limit away.
std::optional<risk_limits> parse_change(const nlohmann::json& limits, const nlohmann::json& change,
                                        faults& wrong);
/// Complete: parse_limits returns the same.
nlohmann::json to_json(const risk_limits& limits);

}  // namespace troupe::trading
