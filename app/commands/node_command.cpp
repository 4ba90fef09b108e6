#include <iostream>

#include "app/catalog.hpp"
#include "app/commands/commands.hpp"
#include "app/node.hpp"
#include "runtime/base/log.hpp"

namespace troupe::app {

CLI::Option* add_config_option(CLI::App& command, std::string& file) {
  return command.add_option("-c,--config", file, "The node's config file; it names the cluster's")
      ->capture_default_str();
}

int guarded(const char* command, const std::function<int()>& work) {
  // What goes wrong with the database is told once, by the exception.
  log::set_level("store", log::level::off);
  try {
    return work();
  } catch (const std::exception& e) {
    std::cerr << "troupe " << command << ": " << e.what() << std::endl;
    return exit_failed;
  }
}

namespace {

void set_log(const log_options& o) {
  log::set_level(o.level);
  log::set_level("store", o.level);
  for (const auto& [component, level] : o.components) log::set_level(component, level);
  log::set_rate_max(o.rate_max);
  if (!o.file.empty()) log::set_file(o.file);
}

int run(const std::string& file) {
  const auto all = load_settings(file);
  if (!all) return exit_failed;
  set_log(all->node.log);
  run_node(*all, make_catalog(*all));
}

}  // namespace

void add_node_command(CLI::App& app, int& exit_code) {
  auto* command =
      app.add_subcommand("node", "Runs a node until SIGINT or SIGTERM, which let its shards drain");
  static std::string file = "config/local/node-1.json";
  add_config_option(*command, file);
  command->footer(
      "Example: troupe node --config config/local/node-1.json\nNeeds a migrated database (troupe "
      "migrate) and Kafka.");
  command->callback([&exit_code, command] {
    if (command->get_subcommands().empty()) exit_code = guarded("node", [] { return run(file); });
  });
}

}  // namespace troupe::app
