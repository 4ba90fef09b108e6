#pragma once

#include <functional>
#include <set>
#include <utility>

#include "tests/simulation/scheduler.hpp"

namespace troupe::simulation {

/// What lies between nodes, clients and the database: loses, doubles, delays and so reorders
/// messages, and is cut here and there, one way or both.
class simulated_network {
 public:
  explicit simulated_network(scheduler& time) : time_(time) {}

  /// Ends of the network: nodes by number, and these.
  static constexpr int database = -1;
  static constexpr int clients = -2;

  bool reaches(int from, int to) const { return !cut_.contains({from, to}); }
  /// Hands `arrive` over at the other end: not at all, once or twice, sooner or later.
  void send(int from, int to, const std::function<void()>& arrive);
  ms delay() { return time_.between(0, 2) + (time_.mishap(2) ? time_.between(0, 400) : ms(0)); }

  void cut(int from, int to, ms length);
  void heal() { cut_.clear(); }

 private:
  scheduler& time_;
  std::set<std::pair<int, int>> cut_;  // From, to.
};

}  // namespace troupe::simulation
