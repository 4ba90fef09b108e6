#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

#include "actors/market/indicators/catalog.hpp"

namespace troupe::market::indicators {

/// A list of indicators as configured: names and kernels, immutable and shared by all symbols.
class indicator_list {
 public:
  static constexpr std::size_t length_max = 100;

  struct parsed;
  /// Reads texts such as `sma(20)`, `macd(12,26,9)`, `obv`. All violations at once; the list is null if there are any.
  static parsed parse(std::span<const std::string> texts);

  /// Of all outputs, in the order of the texts; stable, for dashboards: `rsi_14`, `bb_upper_20_2`, `sar_0.02_0.2`.
  const std::vector<std::string>& names() const { return names_; }

 private:
  friend class indicator_set;

  struct entry {
    any_kernel kernel;
    std::uint32_t offset;  // Of its state within a set's memory.
    std::uint32_t cells;   // Offset of its cells.
    std::uint32_t first;   // Of its outputs.
  };

  explicit indicator_list(std::vector<parsed_indicator> all);

  std::vector<std::string> names_;
  std::vector<entry> entries_;
  std::size_t bytes_ = 0;
  std::uint32_t fingerprint_ = 0;  // Of the texts: a state belongs to one list.
};

struct indicator_list::parsed {
  std::shared_ptr<const indicator_list> list;
  std::vector<std::string> violations;
};

/// Prices within [1e-12, 1e12], volume within [0, 1e18]: wider than the market's own bounds, and narrow enough that no
/// kernel overflows. All else, NaN and infinities included, is not usable.
bool is_usable(const bar_input& bar);

/// The indicators of one symbol and period: state only, in one piece of memory.
class indicator_set {
 public:
  /// Requires: `list` is not null.
  explicit indicator_set(std::shared_ptr<const indicator_list> list);

  const std::vector<std::string>& names() const { return list_->names(); }

  /// Folds one closed bar; `out` gets a value per name, NaN where there is none yet. A bar that is not usable changes
  /// nothing: all of `out` is NaN and the answer is false.
  /// Requires: `out` has the size of names().
  bool update(const bar_input& bar, std::span<double> out);

  /// Appends the state as JSON, an array of arrays of numbers; they come back bit by bit.
  void save(std::string& out) const;
  /// Restores what `save` wrote for the same list. Throws bad_state on anything else, and changes nothing then.
  void load(const nlohmann::json& saved);

  /// Size of the state.
  std::size_t bytes() const { return memory_.size(); }

 private:
  std::shared_ptr<const indicator_list> list_;
  std::vector<std::byte> memory_;
};

}  // namespace troupe::market::indicators
