#include <iostream>

#include "app/commands/command_line.hpp"
#include "app/commands/commands.hpp"
#include "app/commands/config_command.hpp"
#include "app/commands/help.hpp"
#include "app/version.hpp"

int main(int argc, char** argv) {
  using namespace troupe::app;
  CLI::App app("Troupe: a distributed actor runtime for financial processing", "troupe");
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string(version));
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
  add_help(app);
  return run_command_line(app, {argv + 1, argv + argc}, exit_code);
}
