#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string_view>
#include <variant>

#include "actors/trading/fields.hpp"
#include "actors/trading/metrics.hpp"

namespace troupe::trading {

/// A figure of run_metrics by its name in JSON and in the table of runs.
struct run_figure {
  using place = std::variant<double run_metrics::*, std::int64_t run_metrics::*,
                             fixed run_metrics::*, std::optional<fixed> run_metrics::*>;
  std::string_view name;
  place member;
};

/// All of them, in the order of the table's columns.
std::span<const run_figure> run_figures();

/// Decimals are texts; what is not defined is null.
nlohmann::json json_of(const run_metrics& m);
/// What json_of wrote, to the last digit.
void read(field_reader& from, run_metrics& to);

}  // namespace troupe::trading
