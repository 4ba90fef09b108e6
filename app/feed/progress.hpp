#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace troupe::feed {

/// Tells how far a long run is, on standard error: a bar on a terminal, else a line now and then.
class progress {
 public:
  progress();
  /// `share`: of the work that is done, 0 to 1. Costs a look at the clock.
  void at(std::uint64_t rows, double share);
  /// Ends the bar.
  void done();

  double seconds() const;

 private:
  using clock = std::chrono::steady_clock;
  void show(std::uint64_t rows, double share);
  bool terminal_;
  bool shown_ = false;
  clock::time_point began_, next_;
};

/// `1,234,567`.
std::string grouped(std::uint64_t number);

}  // namespace troupe::feed
