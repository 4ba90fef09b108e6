#pragma once

#include <span>
#include <vector>

#include "app/settings.hpp"
#include "runtime/entity/ingress.hpp"
#include "runtime/store/migration.hpp"

namespace troupe::app {

/// Every kind, ingress topic and egress topic that a node hosts. Throws std::invalid_argument
/// naming the option when the market options do not fit together.
catalog make_catalog(const settings& all);

/// Result tables of all domains.
std::vector<const table_def*> result_tables();

/// The runtime's migrations and then the domains'.
std::vector<store::migration> all_migrations();

}  // namespace troupe::app
