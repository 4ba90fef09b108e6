#pragma once

#include <CLI/CLI.hpp>

namespace troupe::app {

/// Gives every command below `app` an example, and lines that fit into a terminal.
void add_help(CLI::App& app);

}  // namespace troupe::app
