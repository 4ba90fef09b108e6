#include <iomanip>
#include <iostream>

#include "app/client.hpp"
#include "app/commands/commands.hpp"

namespace troupe::app {

namespace {

using nlohmann::json;

struct options {
  std::string file = "config/local/node-1.json";
  bool as_json = false;
};

json ask(const options& o, const char* verb) {
  const auto all = load_settings(o.file);
  if (!all) throw client_error("the config cannot be used");
  return client(*all).ask({{"verb", verb}});
}

void print_status(const json& s) {
  const auto& shards = s.at("shards");
  const auto& in = s.at("ingress");
  const auto line = [](const char* name) -> std::ostream& {
    return std::cout << std::left << std::setw(14) << name;
  };
  line("node") << s.at("node").get<std::string>() << " of cluster "
               << s.at("cluster").get<std::string>() << ", version "
               << s.at("version").get<std::string>() << ", incarnation " << s.at("incarnation")
               << ", up " << s.at("uptime_s") << " s\n";
  line("shards") << shards.at("live") << " of " << shards.at("total") << " live, "
                 << shards.at("restarts") << " restarts\n";
  line("records") << in.at("records") << " applied, " << std::llround(in.at("rate").get<double>())
                  << "/s, lag " << in.at("lag") << ", " << in.at("uncommitted") << " uncommitted, "
                  << s.at("dead_letters") << " dead letters\n";
  line("entities") << s.at("entities") << " in memory\n";
  line("commits") << s.at("commits") << ", " << s.at("units") << " units, " << s.at("undelivered")
                  << " messages undelivered\n";
  for (const auto& [table, rows] : s.at("rows").items())
    line("rows") << rows << " in " << table << '\n';
  for (const auto& stopped : shards.at("stopped"))
    line("STOPPED") << "shard " << stopped.at("shard") << ": "
                    << stopped.at("reason").get<std::string>() << '\n';
}

int status(const options& o) {
  const auto answer = ask(o, "status");
  if (o.as_json)
    std::cout << answer.dump() << '\n';
  else
    print_status(answer);
  return 0;
}

int health(const options& o) {
  const auto answer = ask(o, "health");
  if (o.as_json) {
    std::cout << answer.dump() << '\n';
  } else {
    std::cout << (answer.at("healthy") ? "healthy" : "unhealthy")
              << (answer.at("ready") ? ", ready" : ", not ready") << '\n';
    for (const auto& problem : answer.at("problems"))
      std::cout << problem.get<std::string>() << '\n';
  }
  return answer.at("healthy") && answer.at("ready") ? 0 : exit_failed;
}

void add(CLI::App& app, int& exit_code, const char* name, const char* text,
         int (*work)(const options&), options& o) {
  auto* command = app.add_subcommand(name, text);
  add_config_option(*command, o.file);
  command->add_flag("--json", o.as_json, "One JSON object");
  command->callback(
      [&exit_code, name, work, &o] { exit_code = guarded(name, [&] { return work(o); }); });
}

}  // namespace

void add_status_commands(CLI::App& app, int& exit_code) {
  static options status_options, health_options;
  add(app, exit_code, "status", "What a running node is doing: shards, rate, lag, rows", status,
      status_options);
  add(app, exit_code, "health",
      "Whether a running node makes progress; exit code 1 when it does not", health,
      health_options);
}

}  // namespace troupe::app
