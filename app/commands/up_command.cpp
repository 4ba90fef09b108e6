#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <thread>

#include "app/catalog.hpp"
#include "app/certificate_folder.hpp"
#include "app/client.hpp"
#include "app/commands/command_line.hpp"
#include "app/commands/commands.hpp"

namespace troupe::app {

namespace {

using nlohmann::json;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

constexpr int nodes_most = 50;
constexpr int http_ports_above = 100;

struct options {
  std::string cluster = "config/local/cluster.json";
  std::string folder = "var/cluster";
  int nodes = 3;
  bool tls = false;
  int ports = 7400;
};

/// A node that `up` has started: its files in the folder.
class started_node {
 public:
  started_node(const options& o, int number)
      : number_(number),
        ports_(o.ports),
        folder_(fs::absolute(o.folder)),
        id_("node-" + std::to_string(number)) {}

  const std::string& id() const { return id_; }
  std::string config() const { return (folder_ / (id_ + ".json")).string(); }
  std::string log() const { return (folder_ / (id_ + ".log")).string(); }

  void write_config(const std::string& cluster, const json& security) const {
    std::error_code error;
    fs::create_directories(folder_, error);
    if (error)
      throw unwritable_file("--dir " + folder_.string() +
                            ": cannot be made a folder: " + error.message());
    json all{{"cluster", fs::absolute(cluster).string()},
             {"id", id_},
             {"admin", {{"port", ports_ + number_}}},
             {"http", {{"port", ports_ + http_ports_above + number_}}},
             {"log", {{"file", log()}}}};
    if (!security.is_null()) all["security"] = security;
    std::ofstream file(config());
    if (!(file << all.dump(2) << '\n').flush())
      throw unwritable_file(config() + ": cannot be written");
  }

  /// The process, if it runs and is this node; else 0.
  pid_t pid() const {
    pid_t pid = 0;
    if (!(std::ifstream(pid_file()) >> pid) || pid <= 0) return 0;
    std::ifstream in("/proc/" + std::to_string(pid) + "/cmdline", std::ios::binary);
    const std::string line((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    return line.find(config()) == std::string::npos ? 0 : pid;
  }

  void start() const {
    const auto file = config(), out = log();
    posix_spawn_file_actions_t streams;
    ::posix_spawn_file_actions_init(&streams);
    ::posix_spawn_file_actions_addopen(&streams, 0, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_addopen(&streams, 1, out.c_str(), O_WRONLY | O_CREAT | O_APPEND,
                                       0644);
    ::posix_spawn_file_actions_adddup2(&streams, 1, 2);
    posix_spawnattr_t how;
    ::posix_spawnattr_init(&how);
    ::posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSID);
    std::string words[] = {"troupe", "node", "--config", file};
    char* arguments[] = {words[0].data(), words[1].data(), words[2].data(), words[3].data(),
                         nullptr};
    pid_t pid = 0;
    // Returns when the new program runs.
    const int error = ::posix_spawn(&pid, "/proc/self/exe", &streams, &how, arguments, environ);
    ::posix_spawnattr_destroy(&how);
    ::posix_spawn_file_actions_destroy(&streams);
    if (error != 0)
      throw failure("cannot_start",
                    "no process can be started: " + std::string(std::strerror(error)));
    std::ofstream(pid_file()) << pid << '\n';
  }

  /// What it says of its health; null if it does not answer.
  json health() const {
    const auto all = read_settings(config());
    try {
      return client(all).ask({{"verb", "health"}});
    } catch (const client_error&) {
      return nullptr;
    }
  }

  void forget() const { fs::remove(pid_file()); }

 private:
  fs::path pid_file() const { return folder_ / (id_ + ".pid"); }

  int number_;
  int ports_;
  fs::path folder_;
  std::string id_;
};

std::vector<started_node> all_nodes(const options& o, int count) {
  std::vector<started_node> all;
  for (int n = 1; n <= count; ++n) all.emplace_back(o, n);
  return all;
}

/// Makes what is missing of the certificates of these nodes and of an operator; returns the nodes'
/// security groups.
std::vector<json> make_certificates(const options& o, const std::string& cluster,
                                    const std::vector<started_node>& nodes) {
  const certificate_folder folder({(fs::absolute(o.folder) / "certs").string(), 365, false});
  const std::string person = "local";
  if (!folder.has("ca")) folder.make_authority(cluster);
  if (!folder.has(person)) folder.issue(security::role::operator_, person, {});
  std::vector<json> groups;
  for (const auto& node : nodes) {
    if (!folder.has(node.id())) folder.issue(security::role::node, node.id(), {"127.0.0.1"});
    groups.push_back({{"ca_file", folder.authority()},
                      {"certificate_file", folder.certificate(node.id())},
                      {"key_file", folder.key(node.id())},
                      {"operator_certificate_file", folder.certificate(person)},
                      {"operator_key_file", folder.key(person)}});
  }
  return groups;
}

std::string last_line(const std::string& file) {
  std::ifstream in(file);
  std::string line, last;
  while (std::getline(in, line)) last = line;
  return last;
}

bool ready(const json& health) {
  return health.is_object() && health.value("ready", false);
}

/// The first problem that a node tells, to go before other words.
std::string trouble(const json& health) {
  const auto problems =
      health.is_object() ? health.value("problems", json::array()) : json::array();
  return problems.empty() ? "" : problems.front().get<std::string>() + "; ";
}

void wait_until_ready(const std::vector<started_node>& nodes) {
  const auto until = std::chrono::steady_clock::now() + 90s;
  for (const auto& node : nodes) {
    for (json said; !ready(said = node.health());) {
      if (node.pid() == 0)
        throw failure("cannot_start",
                      node.id() + " ended: " + last_line(node.log()) + " (" + node.log() + ")");
      if (std::chrono::steady_clock::now() > until)
        throw failure("not_ready", node.id() + " is not ready after 90 s: " + trouble(said) +
                                       "see " + node.log());
      std::this_thread::sleep_for(50ms);
    }
    std::cout << node.id() << " is ready: " << node.config() << std::endl;
  }
}

/// Every node has its share: nothing moves, everything lives.
void wait_until_spread(const std::vector<started_node>& nodes) {
  const auto all = read_settings(nodes.front().config());
  const auto until = std::chrono::steady_clock::now() + 60s;
  for (;;) {
    const auto s = client(all).ask({{"verb", "status"}});
    const auto& shards = s.at("shards");
    const auto live = std::ranges::count_if(s.value("nodes", json::array()),
                                            [](const json& n) { return n.at("state") == "live"; });
    if (live >= static_cast<std::ptrdiff_t>(nodes.size()) && shards.value("moving", 1) == 0 &&
        shards.at("live") == shards.at("total") && s.value("leader", json()).is_string()) {
      std::cout << shards.at("total") << " shards on " << live << " nodes, "
                << s.at("leader").get<std::string>() << " leads" << std::endl;
      return;
    }
    if (std::chrono::steady_clock::now() > until)
      throw failure("not_ready",
                    "after 60 s not every shard has its place: `troupe status "
                    "--config " +
                        nodes.front().config() + "` tells more");
    std::this_thread::sleep_for(50ms);
  }
}

int up(const options& o) {
  const auto nodes = all_nodes(o, o.nodes);
  for (const auto& node : nodes) node.write_config(o.cluster, nullptr);
  const auto all = read_settings(nodes.front().config());
  if (o.tls) {
    const auto groups = make_certificates(o, all.cluster.name, nodes);
    for (std::size_t i = 0; i < nodes.size(); ++i) nodes[i].write_config(o.cluster, groups[i]);
  }
  store::migrate(all.cluster.postgres.dsn, all_migrations());
  store::claim_cluster(all.cluster.postgres.dsn, {all.cluster.name, all.cluster.shards});
  for (const auto& node : nodes) {
    if (node.pid() != 0)
      std::cout << node.id() << " runs already\n";
    else
      node.start();
  }
  wait_until_ready(nodes);
  wait_until_spread(nodes);
  std::cout << "troupe status --config " << nodes.front().config() << "   shows the cluster\n";
  return 0;
}

int down(const options& o) {
  std::vector<started_node> running;
  for (const auto& node : all_nodes(o, nodes_most))
    if (node.pid() != 0) running.push_back(node);
  if (running.empty()) {
    std::cout << "no node of " << o.folder << " runs\n";
    return 0;
  }
  for (const auto& node : running) ::kill(node.pid(), SIGTERM);
  const auto until = std::chrono::steady_clock::now() + 40s;
  for (const auto& node : running) {
    while (node.pid() != 0 && std::chrono::steady_clock::now() < until)
      std::this_thread::sleep_for(50ms);
    if (node.pid() != 0)
      throw failure("still_running", node.id() + " does not end: see " + node.log() +
                                         "; `kill -9 " + std::to_string(node.pid()) +
                                         "` does no harm");
    node.forget();
    std::cout << node.id() << " has stopped\n";
  }
  return 0;
}

}  // namespace

void add_up_commands(CLI::App& app, int& exit_code) {
  static options o;
  auto* start = app.add_subcommand("up", "Starts several nodes on this machine, in the background");
  start->add_option("--nodes", o.nodes, "How many nodes: node-1 and so on")
      ->capture_default_str()
      ->check(whole_number(1, nodes_most));
  start->add_option("-c,--config", o.cluster, "The cluster's file")->capture_default_str();
  start->add_flag("--tls", o.tls,
                  "Encrypted links, with certificates made under the folder where missing");
  start
      ->add_option("--ports", o.ports,
                   "Node N listens on this and N for operators and nodes, 100 above it for HTTP")
      ->capture_default_str()
      ->check(whole_number(1024, 65'000));
  auto* stop = app.add_subcommand("down", "Stops the nodes that `up` has started");
  for (auto* command : {start, stop})
    command
        ->add_option("--dir", o.folder,
                     "Folder of the generated node files, the logs and the process numbers")
        ->capture_default_str();
  on_run(*start, exit_code, [] { return up(o); });
  on_run(*stop, exit_code, [] { return down(o); });
}

}  // namespace troupe::app
