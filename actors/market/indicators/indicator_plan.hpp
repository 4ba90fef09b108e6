#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "actors/market/indicators/catalog.hpp"

namespace troupe::market {

/// What is wrong with one text, such as `smart(20)`; empty: nothing.
std::string indicator_violation(const std::string& text);

/// What is wrong with a list of texts, all at once: each text alone, one listed twice under
/// whatever spelling, too many.
std::vector<std::string> indicator_violations(std::span<const std::string> texts);

/// A list of indicators as configured: kernels and names, immutable; copies share one object.
class indicator_plan {
 public:
  static constexpr std::size_t length_max = 100;

  /// Reads texts such as `sma(20)`, `macd(12,26,9)`, `obv`. Throws std::invalid_argument with all
  /// of indicator_violations if there are any.
  explicit indicator_plan(std::span<const std::string> texts);

  /// Of all outputs, in the order of the texts; stable, for dashboards: `rsi_14`, `bb_upper_20_2`,
  /// `sar_0.02_0.2`.
  const std::vector<std::string>& names() const { return all_->names; }

 private:
  friend class indicator_set;

  struct entry {
    indicators::any_kernel kernel;
    std::uint32_t state;  // Where in a set's memory its state lies,
    std::uint32_t cells;  // where its cells,
    std::uint32_t first;  // and where in the answer its outputs.
  };

  struct contents {
    std::vector<std::string> names;
    std::vector<entry> entries;
    std::size_t bytes = 0;
    std::uint32_t fingerprint =
        0;  // Of the texts with all parameters: a state belongs to one plan.
  };

  static void append(contents& all, const indicators::parsed_indicator& one);

  std::shared_ptr<const contents> all_;
};

}  // namespace troupe::market
