#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "tests/support/test_database.hpp"

namespace troupe::test {

class node_network;

/// Calls `condition` again and again until it holds; throws, naming `what`, after `limit`.
void wait_until(const std::string& what, std::chrono::seconds limit,
                const std::function<bool()>& condition);

/// A cluster's surroundings of its own on the tests' services: a database, a topic prefix, config
/// files in a folder of its own, free ports.
class cluster_folder {
 public:
  /// `cluster_extra`: further groups of the cluster's file, as JSON without braces, e.g. `"market":
  /// {...}`.
  /// `network`: where its nodes are to run; nothing: on the machine's own loopback.
  explicit cluster_folder(const std::string& cluster_extra, unsigned shards = 8, int nodes = 1,
                          const node_network* network = nullptr);
  ~cluster_folder();

  const test_database& database() const { return database_; }
  const std::string& prefix() const { return prefix_; }
  /// Of node-1, node-2 and so on.
  std::string node_config(int node = 1) const {
    return path_ + "/node-" + std::to_string(node) + ".json";
  }
  std::string log_file(int node = 1) const {
    return path_ + "/node-" + std::to_string(node) + ".log";
  }
  unsigned shards() const { return shards_; }
  int http_port(int node = 1) const { return http_ports_.at(static_cast<std::size_t>(node - 1)); }
  int admin_port(int node = 1) const { return admin_ports_.at(static_cast<std::size_t>(node - 1)); }
  const std::string& path() const { return path_; }

 private:
  test_database database_;
  unsigned shards_;
  std::vector<int> admin_ports_, http_ports_;
  std::string prefix_;
  std::string path_;
};

/// What a program printed and how it ended.
struct run_result {
  int exit_code = 0;
  std::string output;
};
/// Runs a program to its end, standard error after standard output.
run_result run_program(const std::vector<std::string>& command);
/// Runs `troupe ARGUMENTS` (TROUPE_TEST_BINARY) to its end.
run_result run_troupe(const std::vector<std::string>& arguments);

/// A node as a real process; killed when it goes.
class node_process {
 public:
  /// `program` and its arguments.
  explicit node_process(std::vector<std::string> command);
  ~node_process();

  void start();
  bool running();
  /// Sends a signal; after SIGKILL and `stop` it waits for the end.
  void kill();
  void signal(int number) const;
  pid_t pid() const { return pid_; }
  /// Resident, bytes.
  std::int64_t memory() const;
  /// SIGTERM; returns the exit code.
  int stop();

 private:
  std::vector<std::string> command_;
  pid_t pid_ = -1;
};

/// The program under test.
std::string troupe_binary();
/// A TCP port that nobody listened on a moment ago.
int free_port();
/// Whether nobody listens there now.
bool can_listen(int port);

}  // namespace troupe::test
