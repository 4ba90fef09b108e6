#pragma once

#include "app/settings.hpp"
#include "runtime/cluster/links.hpp"

namespace troupe::app {

/// Who a process with these settings is on links: their node. Throws cluster::link_error when its
/// certificate files cannot be used.
cluster::link_self node_self(const settings& all);
/// The same for a command of an operator.
cluster::link_self operator_self(const settings& all);

}  // namespace troupe::app
