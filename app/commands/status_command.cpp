#include <unistd.h>

#include <algorithm>
#include <iomanip>
#include <iostream>
#include <thread>

#include "app/client.hpp"
#include "app/commands/command_line.hpp"
#include "app/commands/commands.hpp"

namespace troupe::app {

namespace {

using nlohmann::json;

struct options {
  std::string file = "config/local/node-1.json";
  bool as_json = false;
  bool watch = false;
  bool shards = false;
};

json ask(const options& o, const char* verb) {
  auto answer = client(read_settings(o.file)).ask({{"verb", verb}});
  throw_refusal(answer);
  return answer;
}

void print_nodes(const json& s) {
  std::cout << std::left << std::setw(14) << "node" << std::setw(9) << "state" << std::setw(13)
            << "incarnation" << std::setw(22) << "address" << std::setw(10) << "up s"
            << std::setw(10) << "version" << std::right << std::setw(9) << "shards" << std::setw(12)
            << "records/s" << std::setw(10) << "lag" << std::setw(11) << "oldest ms" << '\n';
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
              << std::setw(10) << (in.empty() ? "-" : in.at("lag").dump()) << std::setw(11)
              << text("oldest_uncommitted_ms") << (n.value("leads", false) ? "  leader" : "")
              << '\n';
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
  if (s.contains("leader"))
    line("leader") << (s.at("leader").is_null() ? "none" : s.at("leader").get<std::string>())
                   << '\n';
  line("shards") << shards.at("live") << " of " << shards.at("total") << " live, "
                 << shards.value("moving", 0) << " moving, " << shards.at("restarts")
                 << " restarts\n";
  line("records") << in.at("records") << " applied, " << std::llround(in.at("rate").get<double>())
                  << "/s, lag " << in.at("lag") << ", " << in.at("uncommitted")
                  << " uncommitted, the oldest for " << s.value("oldest_uncommitted_ms", 0)
                  << " ms, " << s.at("dead_letters") << " dead letters\n";
  line("entities") << s.at("entities") << " in memory\n";
  if (s.contains("feeds") && s.at("feeds").at("followed") != 0)
    line("feeds") << s.at("feeds").at("followed") << " followed, "
                  << s.at("feeds").at("catching_up") << " catching up, lag "
                  << s.at("feeds").at("lag") << ", " << s.at("feeds").at("missing") << " missing\n";
  line("commits") << s.at("commits") << ", " << s.at("units") << " units, " << s.at("undelivered")
                  << " messages undelivered\n";
  for (const auto& [table, rows] : s.at("rows").items())
    line("rows") << rows << " in " << table << '\n';
  const auto place = [](const json& node) {
    return node.is_null() ? "nobody" : node.get<std::string>();
  };
  constexpr std::size_t moves_shown = 10;
  const auto moves = s.value("moves", json::array());
  for (std::size_t i = 0; i < std::min(moves.size(), moves_shown); ++i)
    line("move") << "shard " << moves[i].at("shard") << " from " << place(moves[i].at("from"))
                 << " to " << place(moves[i].at("to")) << '\n';
  if (moves.size() > moves_shown)
    line("") << "and " << moves.size() - moves_shown << " more; --json has all\n";
  if (const auto quarantined = s.value("quarantined", 0); quarantined > 0)
    line("quarantined") << quarantined << " inputs set aside: `troupe quarantine list`\n";
  for (const auto& problem : s.at("problems"))
    line("PROBLEM") << problem.get<std::string>() << '\n';
  std::cout << stale_note(s);
}

/// The status, with `shard_list` if wanted.
json whole_status(const options& o) {
  auto answer = ask(o, "status");
  if (o.shards) answer["shard_list"] = ask(o, "shards");
  return answer;
}

void print(const options& o, const json& answer) {
  if (o.as_json) {
    std::cout << answer.dump() << std::endl;
    return;
  }
  print_status(answer);
  if (o.shards) print_shards(answer.at("shard_list"));
  std::cout.flush();
}

/// A node that does not answer for a while does not end it: the next look may find it again.
int watch(const options& o) {
  const bool terminal = ::isatty(STDOUT_FILENO) == 1 && !o.as_json;
  for (;; std::this_thread::sleep_for(std::chrono::seconds(1))) {
    try {
      const auto answer = whole_status(o);
      if (terminal) std::cout << "\x1b[H\x1b[J";
      print(o, answer);
    } catch (const client_error& e) {
      tell_failure("status", e, o.as_json);
    }
  }
}

int status(const options& o) {
  print(o, whole_status(o));  // Also before watching: a wrong config or address is told at once.
  return o.watch ? watch(o) : 0;
}

std::string reasons_of(const json& health) {
  std::string all;
  for (const auto& problem : health.at("problems"))
    (all += all.empty() ? "" : "; ") += problem.get<std::string>();
  return all.empty() ? "shards, or the cluster's leader, are still being settled: ask again" : all;
}

int health(const options& o) {
  auto answer = ask(o, "health");
  const bool fine = answer.at("healthy") && answer.at("ready");
  if (o.as_json) {
    if (!fine) {
      answer["error"] = answer.at("healthy") ? "not_ready" : "unhealthy";
      answer["detail"] = reasons_of(answer);
    }
    std::cout << answer.dump() << '\n';
  } else {
    std::cout << (answer.at("healthy") ? "healthy" : "unhealthy")
              << (answer.at("ready") ? ", ready" : ", not ready") << '\n';
    for (const auto& problem : answer.at("problems"))
      std::cout << problem.get<std::string>() << '\n';
  }
  return fine ? 0 : exit_failed;
}

void add(CLI::App& app, int& exit_code, const char* name, const char* text,
         int (*work)(const options&), options& o) {
  auto* command = app.add_subcommand(name, text);
  add_config_option(*command, o.file);
  command->add_flag("--json", o.as_json, "One JSON object");
  on_run(*command, exit_code, [work, &o] { return work(o); });
}

}  // namespace

void add_status_commands(CLI::App& app, int& exit_code) {
  static options status_options, health_options;
  add(app, exit_code, "status", "The whole cluster, asked of any node: nodes, shards, rate, lag",
      status, status_options);
  app.get_subcommand("status")->add_flag("--watch", status_options.watch,
                                         "Again every second, until Ctrl-C");
  app.get_subcommand("status")->add_flag("--shards", status_options.shards,
                                         "Every shard, too, as `shard list` does");
  add(app, exit_code, "health",
      "Whether a running node makes progress; exit code 1 when it does not", health,
      health_options);
}

}  // namespace troupe::app
