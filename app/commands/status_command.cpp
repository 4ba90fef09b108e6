#include <unistd.h>
#include <iomanip>

#include <iostream>
#include <thread>

#include "app/client.hpp"
#include "app/commands/commands.hpp"

namespace troupe::app {

namespace {

using nlohmann::json;

struct options {
  std::string file = "config/local/node-1.json";
  bool as_json = false;
  bool watch = false;
};

json ask(const options& o, const char* verb) {
  const auto all = load_settings(o.file);
  if (!all) throw client_error("the config cannot be used");
  return client(*all).ask({{"verb", verb}});
}

void print_nodes(const json& s) {
  std::cout << std::left << std::setw(14) << "node" << std::setw(9) << "state" << std::setw(13)
            << "incarnation" << std::setw(22) << "address" << std::setw(10) << "up s"
            << std::setw(10) << "version" << std::right << std::setw(9) << "shards" << std::setw(12)
            << "records/s" << std::setw(10) << "lag" << '\n';
  for (const auto& n : s.at("nodes")) {
    const auto in = n.value("ingress", json::object());
    const auto text = [&](const char* name) {
      return !n.contains(name)        ? std::string("-")
             : n.at(name).is_string() ? n.at(name).get<std::string>()
                                      : n.at(name).dump();
    };
    std::cout << std::left << std::setw(14) << text("id") << std::setw(9)
              << (n.value("draining", false) ? "draining" : text("state")) << std::setw(13)
              << text("incarnation") << std::setw(22) << text("address") << std::setw(10)
              << text("uptime_s") << std::setw(10) << text("version") << std::right << std::setw(9)
              << (n.contains("shards") ? n.at("shards").at("live").dump() : "-") << std::setw(12)
              << (in.empty() ? "-" : std::to_string(std::llround(in.at("rate").get<double>())))
              << std::setw(10) << (in.empty() ? "-" : in.at("lag").dump())
              << (n.value("leads", false) ? "  leader" : "") << '\n';
  }
}

void print_status(const json& s) {
  if (s.contains("nodes")) print_nodes(s);
  const auto& shards = s.at("shards");
  const auto& in = s.at("ingress");
  const auto line = [](const char* name) -> std::ostream& {
    return std::cout << std::left << std::setw(14) << name;
  };
  line("cluster") << s.at("cluster").get<std::string>() << ", as "
                  << s.at("node").get<std::string>() << " sees it\n";
  line("shards") << shards.at("live") << " of " << shards.at("total") << " live, "
                 << shards.value("moving", 0) << " moving, " << shards.at("restarts")
                 << " restarts\n";
  line("records") << in.at("records") << " applied, " << std::llround(in.at("rate").get<double>())
                  << "/s, lag " << in.at("lag") << ", " << in.at("uncommitted") << " uncommitted, "
                  << s.at("dead_letters") << " dead letters\n";
  line("entities") << s.at("entities") << " in memory\n";
  if (s.contains("feeds") && s.at("feeds").at("followed") != 0)
    line("feeds") << s.at("feeds").at("followed") << " followed, "
                  << s.at("feeds").at("catching_up") << " catching up, lag "
                  << s.at("feeds").at("lag") << ", " << s.at("feeds").at("missing") << " missing\n";
  line("commits") << s.at("commits") << ", " << s.at("units") << " units, " << s.at("undelivered")
                  << " messages undelivered\n";
  for (const auto& [table, rows] : s.at("rows").items())
    line("rows") << rows << " in " << table << '\n';
  for (const auto& stopped : shards.at("stopped"))
    line("STOPPED") << "shard " << stopped.at("shard") << ": "
                    << stopped.at("reason").get<std::string>() << '\n';
}

int status(const options& o) {
  const bool terminal = ::isatty(STDOUT_FILENO) == 1;
  for (;;) {
    const auto answer = ask(o, "status");
    if (o.watch && terminal && !o.as_json) std::cout << "\x1b[H\x1b[J";
    if (o.as_json)
      std::cout << answer.dump() << std::endl;
    else
      print_status(answer);
    if (!o.watch) return 0;
    std::cout.flush();
    std::this_thread::sleep_for(std::chrono::seconds(1));
  }
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
  add(app, exit_code, "status", "The whole cluster, asked of any node: nodes, shards, rate, lag",
      status, status_options);
  app.get_subcommand("status")->add_flag("--watch", status_options.watch,
                                         "Again every second, until Ctrl-C");
  add(app, exit_code, "health",
      "Whether a running node makes progress; exit code 1 when it does not", health,
      health_options);
}

}  // namespace troupe::app
