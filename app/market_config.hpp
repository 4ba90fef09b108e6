#pragma once

#include "actors/market/market_options.hpp"
#include "runtime/options/section.hpp"

namespace troupe {

/// The group `market` of the cluster's file. `options` receives what the file says and must outlive
/// the section.
domain_section market_section(market::market_options& options);

}  // namespace troupe
