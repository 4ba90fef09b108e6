#pragma once

#include <CLI/CLI.hpp>
#include <iosfwd>

#include "app/settings.hpp"

namespace troupe {

/// Adds `config check FILE... [--json]` and `config reference`. What is run writes to `out` and
/// sets `exit_code`: 0, or 1 when a file is wrong. Both must outlive `app`.
void add_config_command(CLI::App& app, int& exit_code, std::ostream& out);

}  // namespace troupe
