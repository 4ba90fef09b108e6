#pragma once

#include "tests/chaos/egress_reader.hpp"
#include "tests/chaos/market_run.hpp"

namespace troupe::test {

/// Listeners (tests/support/market_listener) on all nodes of a market run, each of which follows
/// symbols on all nodes.
class listener_group {
 public:
  explicit listener_group(const market_run& run);

  /// Lets them follow, each symbol from its first event on.
  void listen();
  /// Whether their committed states hold as many events as were sent.
  bool heard_all() const;
  /// They must have heard all, and everything must be delivered. Checks that each has heard
  /// everything of each of its symbols once, and published what it must.
  void check();
  /// As far as `check` has read it.
  const egress_topic& topic() const { return topic_; }

 private:
  std::vector<std::string> followed_by(int listener) const;

  const market_run& run_;
  egress_topic topic_;
  std::map<std::string, std::int64_t> records_;  // Of `LISTENER SYMBOL`.
};

}  // namespace troupe::test
