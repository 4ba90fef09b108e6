#include "tests/support/node_network.hpp"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "tests/support/node_process.hpp"

namespace troupe::test {

namespace {

constexpr int hub = 0;
constexpr auto folder = "/run/netns/";
constexpr auto names_begin = "troupe-";

void run(std::vector<std::string> words) {
  const auto result = run_program(words);
  if (result.exit_code == 0) return;
  std::string line;
  for (const auto& word : words) line += word + ' ';
  throw std::runtime_error(line + "failed: " + result.output);
}

/// `ip` itself would enter a namespace with a file system of its own, which a chroot does not
/// allow.
std::vector<std::string> within(const std::string& name, std::vector<std::string> program) {
  program.insert(program.begin(), {"nsenter", "--net=" + (folder + name)});
  return program;
}

void ip(std::vector<std::string> words) {
  words.insert(words.begin(), "ip");
  run(std::move(words));
}

void ip_in(const std::string& name, std::vector<std::string> words) {
  words.insert(words.begin(), "ip");
  run(within(name, std::move(words)));
}

/// The port in `text` behind `mark`.
int port_in(const char* variable, const std::string& mark) {
  const char* text = std::getenv(variable);
  const auto at = text == nullptr ? std::string::npos : std::string(text).find(mark);
  if (at == std::string::npos) throw std::runtime_error(std::string(variable) + " names no port");
  return std::stoi(std::string(text).substr(at + mark.size()));
}

/// Of tests that were killed.
void remove_leftovers() {
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(folder, none)) {
    const auto name = entry.path().filename().string();
    if (!name.starts_with(names_begin)) continue;
    const auto pid = std::atoi(name.c_str() + std::string(names_begin).size());
    if (pid > 0 && ::kill(pid, 0) != 0) run_program({"ip", "netns", "del", name});
  }
}

std::string unique_prefix() {
  static std::atomic<int> count{0};
  return names_begin + std::to_string(::getpid()) + '-' + std::to_string(++count) + '-';
}

}  // namespace

bool node_network::possible() {
  static const bool answer = [] {
    const auto name = unique_prefix() + "try";
    return run_program({"ip", "netns", "add", name}).exit_code == 0 &&
           run_program({"ip", "netns", "del", name}).exit_code == 0;
  }();
  return answer;
}

node_network::node_network(int nodes) : nodes_(nodes), prefix_(unique_prefix()) {
  remove_leftovers();
  ip({"netns", "add", name(hub)});
  ip_in(name(hub), {"link", "add", "hub0", "type", "bridge"});
  ip_in(name(hub), {"link", "set", "hub0", "up"});
  for (int n = 1; n <= nodes; ++n) attach(n);
}

node_network::~node_network() {
  for (int n = 0; n <= nodes_; ++n) run_program({"ip", "netns", "del", name(n)});
}

/// Without TLS a node listens at loopback addresses only: here some of them lead from one namespace
/// to another.
void node_network::attach(int node) {
  const auto here = name(node), port = "node" + std::to_string(node);
  ip({"netns", "add", here});
  ip_in(here, {"link", "add", "eth0", "type", "veth", "peer", "name", port, "netns", name(hub)});
  ip_in(name(hub), {"link", "set", port, "master", "hub0", "up"});
  ip_in(here, {"addr", "add", "127.0.0.1/32", "dev", "lo"});
  ip_in(here, {"link", "set", "lo", "up"});
  ip_in(here, {"addr", "del", "127.0.0.1/8", "dev", "lo"});
  inside(node, [] { std::ofstream("/proc/sys/net/ipv4/conf/eth0/route_localnet") << "1\n"; });
  ip_in(here, {"addr", "add", host(node) + "/24", "dev", "eth0"});
  ip_in(here, {"link", "set", "eth0", "up"});
  for (const int server :
       {port_in("TROUPE_TEST_DSN", "port="), port_in("TROUPE_TEST_BROKERS", ":")}) {
    int listener = -1;
    inside(node, [&] { listener = listen_on_loopback(server); });
    proxies_.emplace_back(server, listener);
  }
}

std::string node_network::name(int node) const {
  return prefix_ + (node == hub ? "hub" : std::to_string(node));
}

std::string node_network::host(int node) const {
  return "127.77.0." + std::to_string(node);
}

std::vector<std::string> node_network::command(int node, std::vector<std::string> program) const {
  return within(name(node), std::move(program));
}

void node_network::inside(int node, const std::function<void()>& step) const {
  std::exception_ptr problem;
  std::thread([&] {
    try {
      const int place = ::open((folder + name(node)).c_str(), O_RDONLY | O_CLOEXEC);
      const bool there = place >= 0 && ::setns(place, CLONE_NEWNET) == 0;
      ::close(place);
      if (!there) throw std::runtime_error("cannot enter " + name(node));
      step();
    } catch (...) {
      problem = std::current_exception();
    }
  }).join();
  if (problem) std::rethrow_exception(problem);
}

void node_network::cut(int from, int to) {
  if (std::ranges::find(lost_, lost_way{from, to}) != lost_.end()) return;
  ip_in(name(from), {"route", "add", "blackhole", host(to) + "/32"});
  lost_.push_back({from, to});
}

void node_network::mute(int node) {
  for (int other = 1; other <= nodes_; ++other)
    if (other != node) cut(node, other);
}

void node_network::deafen(int node) {
  for (int other = 1; other <= nodes_; ++other)
    if (other != node) cut(other, node);
}

void node_network::isolate(int node) {
  mute(node);
  deafen(node);
}

void node_network::mend() {
  for (const auto& way : lost_)
    ip_in(name(way.from), {"route", "del", "blackhole", host(way.to) + "/32"});
  lost_.clear();
}

}  // namespace troupe::test
