#pragma once

#include <span>

#include "actors/market/market_tables.hpp"

namespace troupe::trading {

/// The view `sessions`. Needs the market's migrations.
std::span<const market::sql_script> session_migrations();

}  // namespace troupe::trading
