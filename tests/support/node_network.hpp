#pragma once

#include <functional>
#include <list>
#include <string>
#include <vector>

#include "tests/support/tcp_proxy.hpp"

namespace troupe::test {

/// A network of the test's own: every node in a network namespace with an address of its own, all
/// of them on one bridge. At 127.0.0.1 each finds the tests' PostgreSQL and Kafka under their
/// ports, whatever is cut between the nodes.
class node_network {
 public:
  /// Whether this machine lets us make namespaces: it takes root and iproute2.
  static bool possible();

  /// Nodes 1 to `nodes`. Throws when it is not possible.
  explicit node_network(int nodes);
  ~node_network();
  node_network(const node_network&) = delete;
  node_network& operator=(const node_network&) = delete;

  /// The address of a node.
  std::string host(int node) const;
  /// What runs `program` in a node's place; the process is the program's own.
  std::vector<std::string> command(int node, std::vector<std::string> program) const;
  /// Runs `step` on a thread of the node's place: the sockets that it makes belong there.
  void inside(int node, const std::function<void()>& step) const;

  /// From now on nothing that `from` sends reaches `to`. The other direction stays as it is.
  void cut(int from, int to);
  /// Nothing that a node sends reaches any other.
  void mute(int node);
  /// Nothing that the others send reaches it.
  void deafen(int node);
  /// Both.
  void isolate(int node);
  /// Everything arrives again.
  void mend();

 private:
  struct lost_way {
    int from, to;
    bool operator==(const lost_way&) const = default;
  };

  void attach(int node);
  std::string name(int node) const;

  const int nodes_;
  const std::string prefix_;
  std::list<tcp_proxy> proxies_;
  std::list<lost_way> lost_;
};

}  // namespace troupe::test
