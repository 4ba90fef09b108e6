#pragma once

#include "actors/trading/sweep_options.hpp"
#include "runtime/options/section.hpp"

namespace troupe {

/// The group `backtests` of the cluster's file. `options` receives what the file says and must
/// outlive the section.
domain_section sweep_section(trading::sweep_options& options);

}  // namespace troupe
