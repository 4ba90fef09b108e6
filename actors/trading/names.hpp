#pragma once

#include <string_view>

namespace troupe::trading {

/// Whether a text can name a session or a portfolio.
bool is_trading_name(std::string_view name);
inline constexpr std::string_view trading_names_text =
    "1 to 64 characters of letters, digits, '_', '-' and '.'";

/// Whether orders under this name come from people. No session is called so: session and people
/// each number their own requests, and nobody hears of an order that another has asked for.
bool is_by_hand(std::string_view session);
inline constexpr std::string_view by_hand = "by-hand";  // All such names begin with it.

}  // namespace troupe::trading
