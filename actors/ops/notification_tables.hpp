#pragma once

#include <span>

#include "actors/market/market_tables.hpp"

namespace troupe::ops {

/// The view `notifications`, a row a channel, which `troupe notification list` reads.
std::span<const market::sql_script> notification_migrations();

}  // namespace troupe::ops
