#pragma once

#include <deque>
#include <functional>
#include <memory>

#include "tests/simulation/simulated_database.hpp"
#include "tests/simulation/simulated_network.hpp"

namespace troupe::simulation {

/// A node's connection to the database: calls go one at a time, in order. Decides what becomes of
/// each: it is answered; it never gets there; or its answer is lost, and then it may have been
/// carried out, or not, or is still on its way and arrives much later.
class simulated_connection : public std::enable_shared_from_this<simulated_connection> {
 public:
  /// Runs something at the node, if that still lives: later while it is paused.
  using at_node = std::function<void(std::function<void()>)>;
  simulated_connection(scheduler& time, simulated_network& network, simulated_database& database,
                       int node, at_node back)
      : time_(time), network_(network), database_(database), node_(node), at_node_(back) {}

  enum class end : std::uint8_t { answered, unreached, unknown };
  /// Happens at the database; calls its argument when it is done.
  using work = std::function<void(std::function<void()>)>;
  void call(work what, std::function<void(end)> then);

 private:
  struct waiting {
    work what;
    std::function<void(end)> then;
  };
  void next();
  void lose(const waiting& call);
  void finish(const waiting& call, end how, ms delay);
  ms delay() { return time_.between(1, 3) + (time_.mishap(2) ? time_.between(0, 300) : ms(0)); }

  scheduler& time_;
  simulated_network& network_;
  simulated_database& database_;
  const int node_;
  const at_node at_node_;
  std::deque<waiting> waiting_;
  bool busy_ = false;
};

}  // namespace troupe::simulation
