#pragma once

#include <functional>
#include <string>

#include "actors/market/market_options.hpp"
#include "runtime/options/section.hpp"

namespace troupe {

/// What is wrong with an indicator's text, such as `sma(20)`; empty: nothing.
using indicator_check = std::function<std::string(const std::string&)>;

/// The group `market` of the cluster's file. `options` receives what the file says and must outlive
/// the section.
domain_section market_section(market::market_options& options, indicator_check check);

}  // namespace troupe
