#pragma once

#include "actors/trading/trading_options.hpp"
#include "runtime/options/section.hpp"

namespace troupe {

/// The group `trading` of the cluster's file. `options` receives what the file says and must
/// outlive the section.
domain_section trading_section(trading::trading_options& options);

}  // namespace troupe
