#include <iostream>

#include "actors/market/indicators/indicator_plan.hpp"
#include "app/commands/commands.hpp"
#include "app/commands/config_command.hpp"
#include "app/version.hpp"

int main(int argc, char** argv) {
  using namespace troupe::app;
  CLI::App app("Troupe: a distributed actor runtime for financial processing", "troupe");
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string(version));
  app.footer(
      "Begin with ./quickstart; docs/ explains the rest. `troupe COMMAND --help` explains a "
      "command.");
  int exit_code = 0;
  add_node_command(app, exit_code);
  add_status_commands(app, exit_code);
  add_symbol_command(app, exit_code);
  add_quarantine_command(app, exit_code);
  troupe::add_config_command(app, exit_code, std::cout, troupe::market::indicator_violation);
  add_migrate_command(app, exit_code);
  add_feed_command(app, exit_code);
  add_generate_command(app, exit_code);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : exit_usage;
  }
  return exit_code;
}
