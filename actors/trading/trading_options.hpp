#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "actors/trading/notices.hpp"
#include "actors/trading/paper_book.hpp"
#include "actors/trading/portfolio_entity.hpp"

namespace troupe::trading {

/// What operators choose about trading. Identical on every node: results depend on it.
struct trading_options {
  venue_choice venue = venue_choice::paper;
  fixed cash = fixed::from_raw(100'000 * fixed::scale);      // Of a new portfolio.
  std::map<std::string, fixed, std::less<>> portfolio_cash;  // Of new portfolios by name.
  /// Limits and instruments as operators write them (risk_limits.hpp), without faults.
  nlohmann::json limits{{"default", {{"symbols", {{"*", nlohmann::json::object()}}}}}};
  paper_options paper;
  notice_rules notices;

  fixed cash_of(std::string_view portfolio) const {
    const auto own = portfolio_cash.find(portfolio);
    return own == portfolio_cash.end() ? cash : own->second;
  }
};

}  // namespace troupe::trading
