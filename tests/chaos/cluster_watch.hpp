#pragma once

#include <string>
#include <vector>

#include "tests/support/node_process.hpp"

namespace troupe::test {

/// What a cluster's tables say of its nodes.
class cluster_watch {
 public:
  virtual ~cluster_watch() = default;

  std::string sql(const std::string& query) const { return folder().database().run(query); }
  static std::string id_of(int node) { return "node-" + std::to_string(node); }
  /// `column` of the node's row.
  std::string row_of(int node, const std::string& column) const;
  int leader() const;
  /// Nothing of a node's is its own any more.
  void wait_for_heirs(int node) const;
  /// The node's present incarnation has been declared dead when `wait` is called.
  class death_watch {
   public:
    death_watch(const cluster_watch& cluster, int node);
    void wait() const;

   private:
    const cluster_watch& cluster_;
    const int node_;
    const std::string life_;
  };
  /// All nodes live, all shards have a living owner, spread evenly.
  void settle() const;
  /// The present incarnations of all nodes but one, as text.
  std::string lives_of_all_but(int node) const;
  /// The lines in which the nodes' logs tell of an event.
  std::vector<std::string> logged(const std::string& event) const;

 protected:
  virtual const cluster_folder& folder() const = 0;
  virtual int node_count() const = 0;
};

}  // namespace troupe::test
