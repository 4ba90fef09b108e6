#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "actors/trading/money.hpp"
#include "actors/trading/order.hpp"

namespace troupe::trading {

/// Names of symbols to indices, which grow and never change.
class symbol_table {
 public:
  std::optional<symbol_index> find(std::string_view symbol) const {
    if (last_ < names_.size() && names_[last_] == symbol) return symbol_index{last_};
    return find_slowly(symbol);
  }
  symbol_index add(std::string_view symbol);  // Found, or made.
  const std::string& name(symbol_index i) const { return names_[i.value()]; }
  std::size_t size() const { return names_.size(); }

 private:
  struct text_hash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  std::optional<symbol_index> find_slowly(std::string_view symbol) const;

  std::vector<std::string> names_;
  std::unordered_map<std::string, std::uint32_t, text_hash, std::equal_to<>> index_;
  mutable std::uint32_t last_ = 0;  // Most look-ups ask for what was asked for last.
};

/// What the risk check knows of one symbol of a portfolio. Orders that can only reduce a position
/// are not among the open quantities.
struct symbol_facts {
  fixed position;   // Signed.
  fixed open_buys;  // Quantity that is still to be filled.
  fixed open_sells;
  fixed mark;  // Price of the last decision or fill; 0: none yet.
  bool operator==(const symbol_facts&) const = default;
};

/// What the portfolio tells the risk check: its state as far as limits go. Marks are the prices
/// that decisions and fills brought, not the market's newest, so that they are the same at any
/// pace.
struct portfolio_facts {
  symbol_table names;
  std::vector<symbol_facts> symbols;  // By symbol_index.
  money cash = 0;
  money reserved = 0;  // For open buys.
  std::int64_t open_orders = 0;
  std::int64_t children_to_come = 0;  // That open orders with brackets may still place.
  std::int64_t placed = 0;            // Verdict number of the newest order that is in these facts.
};

/// What a decision says of the market in one price: the last trade, otherwise the middle of the
/// quote, otherwise the side that there is; 0: nothing.
fixed market_price(const decision_point& decided);

/// Cash and all positions at their marks, each rounded down.
money equity_of(const portfolio_facts& facts);

}  // namespace troupe::trading
