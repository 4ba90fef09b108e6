#include "tests/support/node_process.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <thread>

#include "tests/support/node_network.hpp"

namespace troupe::test {

namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr)
    throw std::runtime_error(std::string(name) + " is not set: run the tests by ctest");
  return value;
}

std::vector<char*> argument_list(const std::vector<std::string>& command) {
  std::vector<char*> list;
  for (const auto& word : command) list.push_back(const_cast<char*>(word.c_str()));
  list.push_back(nullptr);
  return list;
}

}  // namespace

void wait_until(const std::string& what, std::chrono::seconds limit,
                const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline)
      throw std::runtime_error("waited in vain for: " + what);
    std::this_thread::yield();
    ::usleep(10'000);
  }
}

bool can_listen(int port) {
  const int s = ::socket(AF_INET, SOCK_STREAM, 0);
  const int on = 1;
  ::setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const bool fine = ::bind(s, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  ::close(s);
  return fine;
}

/// Below the range from which the kernel takes ports for outgoing connections: a node that is down
/// for a moment must find its port free again.
int free_port() {
  constexpr int first = 21'000, count = 4'000;
  static std::atomic<int> next{static_cast<int>(::getpid() * 97 % count)};
  for (int i = 0; i < count; ++i) {
    const int port = first + next++ % count;
    if (can_listen(port)) return port;
  }
  throw std::runtime_error("no free port");
}

std::string troupe_binary() {
  return environment("TROUPE_TEST_BINARY");
}

cluster_folder::cluster_folder(const std::string& cluster_extra, unsigned shards, int nodes,
                               const node_network* network)
    : shards_(shards) {
  static std::atomic<int> count{0};
  const auto unique = std::to_string(::getpid()) + '_' + std::to_string(++count);
  prefix_ = "t" + unique + ".";
  path_ = std::filesystem::temp_directory_path() / ("troupe-test-" + unique);
  std::filesystem::create_directories(path_);
  std::ofstream(path_ + "/cluster.json")
      << "{\"name\": \"test\", \"shards\": " << shards_ << ", \"kafka\": {\"brokers\": \""
      << environment("TROUPE_TEST_BROKERS") << "\", \"topic_prefix\": \"" << prefix_
      << "\"}, \"postgres\": {\"dsn\": \"" << database_.dsn() << "\"}"
      << (cluster_extra.empty() ? "" : ", ") << cluster_extra << "}\n";
  for (int n = 1; n <= nodes; ++n) {
    admin_ports_.push_back(free_port());
    http_ports_.push_back(free_port());
    std::ofstream(node_config(n)) << "{\"cluster\": \"cluster.json\", \"id\": \"node-" << n
                                  << "\", \"admin\": {\"host\": \""
                                  << (network != nullptr ? network->host(n) : "127.0.0.1")
                                  << "\", \"port\": " << admin_ports_.back()
                                  << "}, \"http\": {\"port\": " << http_ports_.back()
                                  << "}, \"log\": {\"file\": \"" << log_file(n) << "\"}}\n";
  }
}

/// What is left of a test that ends by an exception is looked at by somebody.
cluster_folder::~cluster_folder() {
  if (std::uncaught_exceptions() > 0) return;
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

run_result run_troupe(const std::vector<std::string>& arguments) {
  std::vector<std::string> command{troupe_binary()};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return run_program(command);
}

run_result run_program(const std::vector<std::string>& command) {
  int out[2];
  // Not for processes that other threads start at the same time.
  if (::pipe2(out, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::dup2(out[1], 1);
    ::dup2(out[1], 2);
    ::close(out[0]);
    auto list = argument_list(command);
    ::execvp(list[0], list.data());
    ::_exit(127);
  }
  ::close(out[1]);
  run_result result;
  char buffer[4096];
  for (ssize_t n; (n = ::read(out[0], buffer, sizeof buffer)) > 0;)
    result.output.append(buffer, static_cast<std::size_t>(n));
  ::close(out[0]);
  int status = 0;
  ::waitpid(pid, &status, 0);
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

node_process::node_process(std::vector<std::string> command) : command_(std::move(command)) {}

node_process::~node_process() {
  kill();
}

void node_process::start() {
  pid_ = ::fork();
  if (pid_ != 0) return;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  auto list = argument_list(command_);
  ::execvp(list[0], list.data());
  ::_exit(127);
}

bool node_process::running() {
  if (pid_ <= 0) return false;
  int status = 0;
  if (::waitpid(pid_, &status, WNOHANG) == 0) return true;
  pid_ = -1;
  return false;
}

void node_process::signal(int number) const {
  if (pid_ > 0) ::kill(pid_, number);
}

void node_process::kill() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

std::int64_t node_process::memory() const {
  std::ifstream statm("/proc/" + std::to_string(pid_) + "/statm");
  std::int64_t total = 0, resident = 0;
  statm >> total >> resident;
  return resident * ::sysconf(_SC_PAGESIZE);
}

int node_process::stop() {
  if (pid_ <= 0) return -1;
  ::kill(pid_, SIGTERM);
  int status = 0;
  ::waitpid(pid_, &status, 0);
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace troupe::test
