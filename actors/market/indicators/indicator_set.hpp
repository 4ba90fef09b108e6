#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

#include "actors/market/indicators/indicator_plan.hpp"
#include "actors/model/bar.hpp"

namespace troupe::market {

/// What indicators see of a bar.
inline indicators::bar_input indicator_bar_of(const price_bar& bar) {
  return {bar.open.to_double(),
          bar.high.to_double(),
          bar.low.to_double(),
          bar.close.to_double(),
          static_cast<double>(bar.volume) / static_cast<double>(fixed::scale),
          from_micros(bar.open_time)};
}

/// Prices within [1e-12, 1e12], volume within [0, 1e18]: wider than the market's own bounds, and
/// narrow enough that no kernel overflows. All else, NaN and infinities included, is not usable.
bool is_usable(const indicators::bar_input& bar);

/// The indicators of one symbol and period: state only, in one piece of memory.
class indicator_set {
 public:
  explicit indicator_set(const indicator_plan& plan);

  const std::vector<std::string>& names() const { return plan_.names(); }

  /// Folds one closed bar; `out` gets a value per name, NaN where there is none yet. A bar that is
  /// not usable changes nothing: all of `out` is NaN and the answer is false.
  /// Requires: `out` has the size of names().
  bool update(const indicators::bar_input& bar, std::span<double> out);

  /// Appends the state as JSON, an array of arrays of numbers; they come back bit by bit.
  void save(std::string& out) const;
  /// Restores what `save` wrote for the same plan. Throws bad_state on anything else, and changes
  /// nothing then.
  void load(const nlohmann::json& saved);

  /// Size of the state.
  std::size_t bytes() const { return memory_.size(); }

 private:
  indicator_plan plan_;
  std::vector<std::byte> memory_;
};

}  // namespace troupe::market
