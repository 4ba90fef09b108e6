#pragma once

#include <deque>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/support/node_process.hpp"

namespace troupe::test {

/// Sessions on real nodes with a Kafka and a database of their own.
class trading_run {
 public:
  /// `limits`: as in config/risk_limits.json. `options`: members of the config group `trading`,
  /// without braces, besides the limits. `groups`: further groups, likewise. `program`: what a node
  /// runs, but for its config; nothing: `troupe node`.
  explicit trading_run(int nodes, const nlohmann::json& limits, const std::string& options = "",
                       const std::string& groups = "", std::vector<std::string> program = {});

  const cluster_folder& folder() const { return folder_; }
  node_process& node(int n = 1) { return nodes_.at(static_cast<std::size_t>(n - 1)); }
  int nodes() const { return static_cast<int>(nodes_.size()); }
  void start();
  /// Starts those that are down.
  void revive();

  /// Runs `troupe WORDS --config ... ` at a node.
  run_result cli(std::vector<std::string> words, int node = 1) const;
  /// The same with --json. The answer, an error in it or not.
  nlohmann::json ask(std::vector<std::string> words, int node = 1) const;
  /// Puts records onto a topic.
  void send(const std::string& topic,
            const std::vector<std::pair<std::string, std::string>>& keyed) const;
  /// All records of an egress topic that a reader takes, in the order of their partitions.
  std::vector<nlohmann::json> read(const std::string& topic) const;
  std::string sql(const std::string& query) const { return folder_.database().run(query); }
  /// Rows of a query.
  nlohmann::json rows(const std::string& query) const;

  std::string path(const std::string& file) const { return folder_.path() + '/' + file; }

 private:
  cluster_folder folder_;
  std::deque<node_process> nodes_;
};

/// Trades of one symbol as CSV that `troupe feed` and `troupe backtest` read: a seeded random walk,
/// 250 ms apart.
std::string ticks_csv(const std::string& symbol, int count, unsigned seed);
/// Quotes about the same kind of walk.
std::string quotes_csv(const std::string& symbol, int count, unsigned seed);

void write_file(const std::string& path, const std::string& text);

}  // namespace troupe::test
