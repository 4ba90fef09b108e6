#include <iostream>

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
  add_cluster_commands(app, exit_code);
  add_up_commands(app, exit_code);
  add_symbol_command(app, exit_code);
  add_session_command(app, exit_code);
  add_trading_commands(app, exit_code);
  add_notification_command(app, exit_code);
  add_quarantine_command(app, exit_code);
  add_topic_command(app, exit_code);
  troupe::add_config_command(app, exit_code, std::cout);
  add_migrate_command(app, exit_code);
  add_certs_command(app, exit_code);
  add_feed_command(app, exit_code);
  add_generate_command(app, exit_code);
  add_backtest_command(app, exit_code);
  const auto named = [&](CLI::App* command) { return command->get_name() == argv[1]; };
  if (argc > 1 && argv[1][0] != '-' && app.get_subcommands(named).empty()) {
    std::cerr << "troupe: no command '" << argv[1] << "'; `troupe --help` lists them\n";
    return exit_usage;
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : exit_usage;
  }
  return exit_code;
}
