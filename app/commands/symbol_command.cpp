#include <iostream>

#include "app/commands/command_line.hpp"
#include "app/commands/commands.hpp"
#include "app/commands/entity_command.hpp"
#include "runtime/store/status_reader.hpp"

namespace troupe::app {

namespace {

using nlohmann::json;

struct options {
  std::string file = "config/local/node-1.json";
  std::string symbol;
  bool as_json = false;
};

int list(const options& o) {
  store::status_reader reader(read_settings(o.file).cluster.postgres.dsn);
  const auto rows = json::parse(reader.read_json("select * from symbols order by symbol"));
  if (o.as_json) {
    std::cout << rows.dump() << '\n';
    return 0;
  }
  print_table(rows, {"symbol", "trades", "volume", "last_price", "refused", "last_time"});
  return 0;
}

int show(const options& o) {
  const auto answer = entity_state(read_settings(o.file), {"symbol", o.symbol});
  std::cout << answer.dump(o.as_json ? -1 : 2) << '\n';
  return 0;
}

}  // namespace

void add_symbol_command(CLI::App& app, int& exit_code) {
  static options o;
  auto* command = app.add_subcommand(
      "symbol", "Market symbols: the list from the database, one from its live actor");
  command->require_subcommand(1);
  auto* all = command->add_subcommand(
      "list", "Every symbol with its trades, volume and last price, as last committed");
  auto* one = command->add_subcommand(
      "show", "The whole state of one symbol, committed, asked of its actor");
  one->add_option("symbol", o.symbol, "As in the market data, for example SPY")->required();
  for (auto* c : {all, one}) {
    add_config_option(*c, o.file);
    c->add_flag("--json", o.as_json, "JSON instead of text");
  }
  on_run(*all, exit_code, [] { return list(o); });
  on_run(*one, exit_code, [] { return show(o); });
}

}  // namespace troupe::app
