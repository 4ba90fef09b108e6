#pragma once

#include <algorithm>
#include <vector>

namespace troupe::bench {

/// The value below which `part` (0 to 1) of all lie; 0 of none.
inline double quantile(std::vector<double> all, double part) {
  if (all.empty()) return 0;
  const auto at =
      all.begin() + static_cast<std::ptrdiff_t>(part * static_cast<double>(all.size() - 1) + 0.5);
  std::ranges::nth_element(all, at);
  return *at;
}

}  // namespace troupe::bench
