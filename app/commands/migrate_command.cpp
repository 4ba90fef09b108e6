#include <iostream>
#include <nlohmann/json.hpp>

#include "app/catalog.hpp"
#include "app/commands/command_line.hpp"
#include "app/commands/commands.hpp"
#include "app/settings.hpp"

namespace troupe::app {

namespace {

struct options {
  std::string file = "config/local/node-1.json";
  bool as_json = false;
};

int migrate(const options& o) {
  const auto all = read_settings(o.file);
  const auto wanted = all_migrations();
  const auto applied = store::migrate(all.cluster.postgres.dsn, wanted);
  store::claim_cluster(all.cluster.postgres.dsn, {all.cluster.name, all.cluster.shards});
  if (o.as_json) {
    std::cout << nlohmann::json{{"applied", applied}, {"total", wanted.size()}}.dump() << '\n';
    return 0;
  }
  for (const auto& name : applied) std::cout << "applied " << name << '\n';
  std::cout << (applied.empty() ? "the database is up to date, "
                                : "the database is now up to date, ")
            << wanted.size() << " migrations\n";
  return 0;
}

}  // namespace

void add_migrate_command(CLI::App& app, int& exit_code) {
  static options o;
  auto* command = app.add_subcommand(
      "migrate", "Brings the database's tables and views up to date; safe to repeat");
  add_config_option(*command, o.file);
  command->add_flag("--json", o.as_json, "One JSON object");
  on_run(*command, exit_code, [] { return migrate(o); });
}

}  // namespace troupe::app
