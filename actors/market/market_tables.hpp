#pragma once

#include <span>
#include <string_view>

#include "runtime/codec/columns.hpp"

namespace troupe::market {

/// A closed bar with the values of all indicators: symbol, period, open_time, open, high, low,
/// close, volume, trades, plan id, values as the text of a float8 array.
extern const table_def bar_table;
/// symbol, second, bid, bid_size, ask, ask_size; a price of 0 becomes NULL together with its size.
extern const table_def top_of_book_table;
/// plan id, names as the text of a text array.
extern const table_def indicator_plan_table;

/// Ingress: trades, quotes and bars, keyed by symbol.
inline constexpr std::string_view market_topic = "market";
inline constexpr std::string_view bars_topic = "market.bars";
inline constexpr std::string_view indicators_topic = "market.indicators";

/// One step of the database's history: never changed once released.
struct sql_script {
  std::string_view name;
  std::string_view sql;
};
/// Tables, functions and views of the market domain, in order. They need the runtime's table
/// `entity`.
std::span<const sql_script> market_migrations();

}  // namespace troupe::market
