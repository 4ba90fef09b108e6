#include "actors/trading/names.hpp"

#include <algorithm>

namespace troupe::trading {

bool is_trading_name(std::string_view name) {
  constexpr std::size_t most = 64;
  return !name.empty() && name.size() <= most && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  });
}

bool is_by_hand(std::string_view session) {
  return session.starts_with(by_hand) && is_trading_name(session);
}

}  // namespace troupe::trading
