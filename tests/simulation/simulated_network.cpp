#include "tests/simulation/simulated_network.hpp"

namespace troupe::simulation {

void simulated_network::send(int from, int to, const std::function<void()>& arrive) {
  if (!reaches(from, to) || time_.mishap(1)) return;
  time_.after(delay(), arrive);
  if (time_.mishap(1)) time_.after(delay(), arrive);
}

void simulated_network::cut(int from, int to, ms length) {
  if (from == to) return;
  time_.note("cut ", from, " -> ", to, " for ", length.count(), " ms");
  cut_.insert({from, to});
  time_.after(length, [this, from, to] { cut_.erase({from, to}); });
}

}  // namespace troupe::simulation
