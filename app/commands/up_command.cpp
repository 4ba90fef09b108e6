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

/// However --dir is spelt, a node is known by one path.
fs::path folder_of(const options& o) {
  return fs::weakly_canonical(fs::absolute(o.folder));
}

fs::path cluster_file_of(const options& o) {
  return fs::absolute(o.cluster).lexically_normal();
}

/// A file under another name, which goes again unless it is kept: what stands under its own name is
/// the old text or all of the new one.
class draft {
 public:
  draft(std::string path, const json& all) : path_(std::move(path)) {
    std::ofstream file(name());
    if (!(file << all.dump(2) << '\n').flush())
      throw unwritable_file(path_ + ": cannot be written");
  }
  draft(const draft&) = delete;
  draft& operator=(const draft&) = delete;
  ~draft() { ::unlink(name().c_str()); }

  std::string name() const { return path_ + ".new"; }
  void keep() const { fs::rename(name(), path_); }

 private:
  std::string path_;
};

/// A node that `up` has started: its files in the folder.
class started_node {
 public:
  started_node(fs::path folder, int number)
      : number_(number), folder_(std::move(folder)), id_("node-" + std::to_string(number)) {}

  const std::string& id() const { return id_; }
  int number() const { return number_; }
  std::string config() const { return (folder_ / (id_ + ".json")).string(); }
  std::string log() const { return (folder_ / (id_ + ".log")).string(); }

  /// What its file is to say, but for its certificates.
  json file_by(const options& o) const {
    return {{"cluster", cluster_file_of(o).string()},
            {"id", id_},
            {"admin", {{"port", o.ports + number_}}},
            {"http", {{"port", o.ports + http_ports_above + number_}}},
            {"log", {{"file", log()}}}};
  }

  /// What its file says; an empty object: there is none, or it is no config.
  json written() const {
    std::ifstream in(config());
    auto all = json::parse(in, nullptr, false, true);
    return all.is_object() ? all : json::object();
  }

  /// The settings of this file. Throws what is wrong with it.
  settings check(const json& file) const {
    const draft tried(config(), file);
    try {
      return read_settings(tried.name());
    } catch (const failure& e) {
      std::string text = e.what();
      for (std::size_t at = 0; (at = text.find(tried.name(), at)) != std::string::npos;)
        text.replace(at, tried.name().size(), config());
      throw failure(e.name(), text);
    }
  }

  void write(const json& file) const { draft(config(), file).keep(); }

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
  fs::path folder_;
  std::string id_;
};

std::vector<started_node> all_nodes(const options& o, int count) {
  const auto folder = folder_of(o);
  std::vector<started_node> all;
  for (int n = 1; n <= count; ++n) all.emplace_back(folder, n);
  return all;
}

/// What is wrong with the cluster's file is told of it, before there is a node that names it.
void check_cluster_file(const std::string& file) {
  std::vector<violation> found;
  const auto text = read_config_text(file, found);
  const auto document = text ? parse_config(*text, file, found) : std::nullopt;
  if (document && (document->contains("id") || document->contains("cluster")))
    throw failure("bad_config", "--config " + file +
                                    ": is a node's file; `up` needs the cluster's, such as "
                                    "config/local/cluster.json");
  settings all;
  found = check_config(file, domain_sections(all), process_environment(), checks_of_libraries());
  if (found.empty()) return;
  std::string told;
  for (const auto& v : found) told += (told.empty() ? "--config " : "\n--config ") + to_string(v);
  throw failure("bad_config", told, {{"violations", violations_json(found)}});
}

/// What a node runs with (or without) that is asked for otherwise now; empty: nothing.
std::string other_argument(const options& o, const started_node& node, const json& file) {
  if (file.empty()) return "with a file that is gone or no config any more";
  const auto told = [&](const char* place) {
    const json::json_pointer at(place);
    return file.contains(at) ? file.at(at) : json();
  };
  const auto port = told("/admin/port"), cluster = told("/cluster");
  if (port != o.ports + node.number()) {
    const auto was = port.is_number_integer() ? port.get<std::int64_t>() - node.number() : 0;
    return "with --ports " + std::to_string(was) + ", not " + std::to_string(o.ports);
  }
  const auto now = cluster_file_of(o);
  const auto was = fs::path(node.config()).parent_path() /
                   (cluster.is_string() ? cluster.get<std::string>() : std::string());
  std::error_code error;
  if (was.lexically_normal() != now && !fs::equivalent(was, now, error))
    return "with --config " + was.lexically_normal().string() + ", not " + now.string();
  return o.tls && !file.contains("/security/certificate_file"_json_pointer) ? "without --tls" : "";
}

/// Nodes that run keep their files, by which they are found, and certificates are not dropped
/// without a word.
void refuse_other_arguments(const options& o) {
  for (const auto& node : all_nodes(o, nodes_most)) {
    const auto file = node.written();
    if (!o.tls && file.contains("security"))
      throw failure("started_otherwise",
                    node.config() +
                        " has a security group, which would go without --tls: say --tls, choose "
                        "another --dir, or stop its nodes and delete the folder");
    if (node.pid() == 0) continue;
    if (const auto other = other_argument(o, node, file); !other.empty())
      throw failure("started_otherwise", node.id() + " runs " + other +
                                             ": repeat that, stop it first (`troupe down --dir " +
                                             o.folder + "`), or choose another --dir");
  }
}

void make_folder(const options& o) {
  std::error_code error;
  fs::create_directories(folder_of(o), error);
  if (error)
    throw unwritable_file("--dir " + o.folder + ": cannot be made a folder: " + error.message());
}

/// Makes what is missing of the certificates of these nodes and of an operator; returns the nodes'
/// security groups.
std::vector<json> make_certificates(const options& o, const std::string& cluster,
                                    const std::vector<started_node>& nodes) {
  const certificate_folder folder({(folder_of(o) / "certs").string(), 365, false});
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

/// The nodes' files with their certificates, nothing wrong with them.
std::vector<json> files_with_certificates(const options& o, const std::string& cluster,
                                          const std::vector<started_node>& nodes) {
  const auto groups = make_certificates(o, cluster, nodes);
  std::vector<json> files;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    auto file = nodes[i].file_by(o);
    auto& security = file["security"] = nodes[i].written()["security"];  // A token stays.
    if (!security.is_object()) security = json::object();
    security.update(groups[i]);
    nodes[i].check(file);
    files.push_back(std::move(file));
  }
  return files;
}

/// Whatever can be refused is, before any node's file changes.
int up(const options& o) {
  check_cluster_file(o.cluster);
  refuse_other_arguments(o);
  make_folder(o);
  const auto nodes = all_nodes(o, o.nodes);
  const auto all = nodes.front().check(nodes.front().file_by(o));
  std::vector<json> files;
  if (o.tls)
    files = files_with_certificates(o, all.cluster.name, nodes);
  else
    for (const auto& node : nodes) files.push_back(node.file_by(o));
  store::migrate(all.cluster.postgres.dsn, all_migrations());
  store::claim_cluster(all.cluster.postgres.dsn, {all.cluster.name, all.cluster.shards});
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (nodes[i].pid() != 0) {
      std::cout << nodes[i].id() << " runs already\n";
      continue;
    }
    nodes[i].write(files[i]);
    nodes[i].start();
  }
  wait_until_ready(nodes);
  wait_until_spread(nodes);
  std::cout << "troupe status --config " << nodes.front().config() << "   shows the cluster\n";
  return 0;
}

failure still_running(const std::vector<std::pair<started_node, pid_t>>& nodes) {
  std::string told;
  for (const auto& [node, pid] : nodes)
    told += (told.empty() ? "" : "\n") + node.id() + " does not end within 40 s: see " +
            node.log() + "; `kill -9 " + std::to_string(pid) + "` does no harm";
  return {"still_running", told};
}

int down(const options& o) {
  std::vector<std::pair<started_node, pid_t>> running;
  for (const auto& node : all_nodes(o, nodes_most))
    if (const auto pid = node.pid(); pid != 0) running.emplace_back(node, pid);
  if (running.empty()) {
    std::cout << "no node of " << o.folder << " runs\n";
    return 0;
  }
  for (const auto& [node, pid] : running) ::kill(pid, SIGTERM);
  const auto until = std::chrono::steady_clock::now() + 40s;
  const auto ended = [](const auto& one) {
    if (one.first.pid() != 0) return false;
    one.first.forget();
    std::cout << one.first.id() << " has stopped" << std::endl;
    return true;
  };
  while (std::erase_if(running, ended), !running.empty()) {
    if (std::chrono::steady_clock::now() > until) throw still_running(running);
    std::this_thread::sleep_for(50ms);
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
