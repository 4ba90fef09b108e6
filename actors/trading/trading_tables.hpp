#pragma once

#include <span>
#include <string_view>

#include "actors/market/market_tables.hpp"
#include "actors/trading/messages.hpp"
#include "runtime/codec/columns.hpp"

namespace troupe::trading {

/// An order as it stands; the row with the greatest number of changes counts.
extern const table_def order_table;
/// What the risk check answered to each request.
extern const table_def verdict_table;
/// Each fill that was booked, once; its value is signed: what it cost.
extern const table_def fill_table;
/// Changes of limits and of the trading state.
extern const table_def risk_change_table;

/// Egress: what external venues are asked to do, keyed by portfolio. Ingress: what they say.
inline constexpr std::string_view orders_topic = "orders";
inline constexpr std::string_view fills_topic = "fills";

void add_row(row_block& to, const order& o, std::int64_t changes);
void add_row(row_block& to, std::string_view portfolio, const order_request& request,
             const verdict& given);
void add_row(row_block& to, std::string_view portfolio, const order& o, const fill& f);

struct risk_change {
  std::string_view portfolio;
  std::int64_t number;  // Of its portfolio: 1, 2, 3 ...
  time_point time;
  std::string_view what;    // `limits`, `state`.
  std::string_view before;  // JSON, or the state's name.
  std::string_view after;
  std::string_view by;
  std::string_view reason;
};
void add_row(row_block& to, const risk_change& change);

/// Tables and views of the trading domain, in order. They need the runtime's table `entity` and the
/// market's function market_time. The views are stable: orders, risk_verdicts, fills, positions,
/// portfolios, risk_audit, and books, which tells what is wrong with a portfolio's books.
std::span<const market::sql_script> trading_migrations();

}  // namespace troupe::trading
