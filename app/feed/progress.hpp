#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace troupe::feed {

/// Tells how far a long run is, on standard error: a bar on a terminal, else a line now and then.
class progress {
 public:
  /// `what` is counted; so much of it was done before.
  explicit progress(std::string what = "rows", std::uint64_t before = 0, double share_before = 0);
  /// `share`: of the work that is done, 0 to 1. Costs a look at the clock.
  void at(std::uint64_t rows, double share);
  /// Ends the bar.
  void done();

  double seconds() const;

 private:
  using clock = std::chrono::steady_clock;
  void show(std::uint64_t rows, double share);
  const std::string what_;
  const std::uint64_t before_;
  const double share_before_;
  bool terminal_;
  bool shown_ = false;
  clock::time_point began_, next_;
};

/// `1,234,567`.
std::string grouped(std::uint64_t number);

}  // namespace troupe::feed
