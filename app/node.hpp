#pragma once

#include <memory>
#include <string>

#include "app/settings.hpp"
#include "runtime/entity/ingress.hpp"

namespace troupe::app {

/// A node as a process: assembles everything around `things`, runs until SIGINT or SIGTERM, lets
/// its shards drain. Ends the process with exit code 0 after a clean stop, 1 when it could not
/// start or was superseded; says why on standard error. Requires: called from main, before any
/// thread is made.
[[noreturn]] void run_node(const settings& all, const catalog& things);

}  // namespace troupe::app
