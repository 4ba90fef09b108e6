#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <iostream>

#include "app/commands/command_line.hpp"
#include "app/commands/commands.hpp"
#include "app/commands/config_command.hpp"
#include "app/commands/help.hpp"
#include "app/version.hpp"

namespace {

/// Whoever started the program may have closed standard input, output or error. The next file, pipe
/// or socket would get such a number, and every line that is meant for a person would go into it.
void open_standard_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (::fcntl(stream, F_GETFD) < 0 && errno == EBADF &&
        ::open("/dev/null", O_RDWR) != stream)  // The lowest number that is free.
      std::_Exit(1);
}

}  // namespace

int main(int argc, char** argv) {
  open_standard_streams();
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
