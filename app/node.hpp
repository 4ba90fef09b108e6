#pragma once

#include <memory>
#include <string>

#include "app/settings.hpp"

namespace troupe::app {

/// A node as a process: assembles everything, runs until SIGINT or SIGTERM, lets its shards drain.
/// Returns the process's exit code: 0 after a clean stop, 1 when it could not start or was
/// superseded; says why on standard error.
int run_node(const settings& all);

}  // namespace troupe::app
