#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "tests/support/test_database.hpp"

namespace troupe::test {

/// Calls `condition` again and again until it holds; throws, naming `what`, after `limit`.
void wait_until(const std::string& what, std::chrono::seconds limit,
                const std::function<bool()>& condition);

/// A cluster's surroundings of its own on the tests' services: a database, a topic prefix, config
/// files in a folder of its own, free ports.
class cluster_folder {
 public:
  /// `cluster_extra`: further groups of the cluster's file, as JSON without braces, e.g. `"market":
  /// {...}`.
  explicit cluster_folder(const std::string& cluster_extra, unsigned shards = 8);
  ~cluster_folder();

  const test_database& database() const { return database_; }
  const std::string& prefix() const { return prefix_; }
  std::string node_config() const { return path_ + "/node-1.json"; }
  std::string log_file() const { return path_ + "/node.log"; }
  unsigned shards() const { return shards_; }
  int admin_port() const { return admin_port_; }
  const std::string& path() const { return path_; }

 private:
  test_database database_;
  unsigned shards_;
  int admin_port_;
  std::string prefix_;
  std::string path_;
};

/// What a program printed and how it ended.
struct run_result {
  int exit_code = 0;
  std::string output;
};
/// Runs `troupe ARGUMENTS` (TROUPE_TEST_BINARY) to its end, standard error after standard output.
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
  pid_t pid() const { return pid_; }
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

}  // namespace troupe::test
