#include "app/catalog.hpp"
#include "app/commands/command_line.hpp"
#include "app/commands/commands.hpp"
#include "app/node.hpp"
#include "runtime/base/log.hpp"

namespace troupe::app {

CLI::Option* add_config_option(CLI::App& command, std::string& file) {
  return command.add_option("-c,--config", file, "A node's config file, which names its cluster's")
      ->capture_default_str();
}

namespace {

void set_log(const log_options& o) {
  log::set_level(o.level);
  for (const auto* component : {"store", "bridge"}) log::set_level(component, o.level);
  for (const auto& [component, level] : o.components) log::set_level(component, level);
  log::set_rate_max(o.rate_max);
  if (!o.file.empty()) log::set_file(o.file);
}

int run(const std::string& file) {
  const auto all = read_settings(file);
  set_log(all.node.log);
  run_node(all, make_catalog(all));
}

}  // namespace

void add_node_command(CLI::App& app, int& exit_code) {
  auto* command =
      app.add_subcommand("node", "Runs a node until SIGINT or SIGTERM, which let its shards drain");
  static std::string file = "config/local/node-1.json";
  add_config_option(*command, file);
  // A command of its own, such as drain, has run before it.
  on_run(*command, exit_code, [command, &exit_code] {
    return command->get_subcommands().empty() ? run(file) : exit_code;
  });
}

}  // namespace troupe::app
