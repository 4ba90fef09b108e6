#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/base/ids.hpp"

namespace troupe::store {

/// Who is in the cluster, and who has what, as the database tells it.
struct cluster_view {
  struct node {
    std::string id;
    incarnation life;
    std::string address;  // host:port of its links.
    bool live = false;    // Neither left nor dead, and its lease runs.
    bool draining = false;
    bool left = false;  // Of its own accord.
    bool operator==(const node&) const = default;
  };
  struct shard {
    std::string assigned;  // Id of the node that is to have it; empty: nobody yet.
    incarnation life{0};   // That has it, alive or not; 0: nobody.
    epoch era{0};
    bool operator==(const shard&) const = default;
  };
  std::vector<node> nodes;    // By id.
  std::vector<shard> shards;  // By shard.
  incarnation leader{0};      // 0: nobody's lease runs.
  std::int64_t version = 0;   // Number of decisions before it was read; what is shown may be newer.
};

/// What a leader wants written.
struct cluster_decision {
  struct assignment {
    shard_id shard;
    std::string node;
    bool operator==(const assignment&) const = default;
  };
  std::vector<incarnation> dead;  // For ever.
  std::vector<assignment> assign;
  bool empty() const { return dead.empty() && assign.empty(); }
};

/// The cluster's tables. For one thread at a time, but for `interrupt`; calls block.
class cluster_store {
 public:
  struct options {
    std::string dsn;
    std::chrono::milliseconds statement_timeout{1'000};
    std::chrono::seconds connect_timeout{3};
  };
  explicit cluster_store(const options& o);
  ~cluster_store();

  /// Nothing if the database did not answer.
  std::optional<cluster_view> read();

  struct led {
    enum class outcome : std::uint8_t { done, refused, unavailable };
    outcome what = outcome::unavailable;
    std::int64_t version = 0;  // The decision's number, if done.
  };
  /// In one transaction: takes or keeps the leader's lease for `ttl`, and then declares
  /// incarnations dead, ends their connections and writes assignments. `refused`: another node
  /// leads, whose lease runs and who is not among the dead; or `self` is dead itself.
  led lead(incarnation self, std::chrono::milliseconds ttl, const cluster_decision& what);

  /// What has become of an operator's order.
  enum class written : std::uint8_t {
    done,
    nothing_there,  // No row that it could be about.
    refused,        // The row does not allow it.
    unavailable,    // No answer: nobody knows.
  };

  /// Says which node is to have a shard; counts as a decision. `nothing_there`: no such shard, or
  /// nobody has ever led, who could follow it.
  written assign(shard_id shard, const std::string& node);

  /// Marks a node as one that is to give its shards away, or takes the mark off. `nothing_there`:
  /// no such node.
  written set_draining(const std::string& node, bool draining);

  /// Deletes the row of a node. `refused`: it is alive. `nothing_there`: no such node.
  written forget(const std::string& node);

  /// Breaks off the call under way. Any thread.
  void interrupt();

 private:
  struct connection;
  std::unique_ptr<connection> connection_;
};

}  // namespace troupe::store
