#include "actors/trading/portfolio_facts.hpp"

namespace troupe::trading {

std::optional<symbol_index> symbol_table::find_slowly(std::string_view symbol) const {
  const auto found = index_.find(symbol);
  if (found == index_.end()) return std::nullopt;
  last_ = found->second;
  return symbol_index{last_};
}

symbol_index symbol_table::add(std::string_view symbol) {
  if (const auto known = find(symbol)) return *known;
  last_ = static_cast<std::uint32_t>(names_.size());
  names_.emplace_back(symbol);
  index_.emplace(symbol, last_);
  return symbol_index{last_};
}

money equity_of(const portfolio_facts& facts) {
  money sum = facts.cash;
  for (const auto& s : facts.symbols)
    if (s.position.raw() != 0) sum += value_of(s.position, s.mark, rounding::down);
  return sum;
}

fixed market_price(const decision_point& decided) {
  if (decided.last.raw() > 0) return decided.last;
  if (decided.bid.raw() <= 0 || decided.ask.raw() <= 0)
    return decided.bid.raw() > 0 ? decided.bid : decided.ask;
  const wide sum = wide{decided.bid.raw()} + decided.ask.raw();
  return fixed::from_raw(static_cast<std::int64_t>(sum / 2));
}

}  // namespace troupe::trading
