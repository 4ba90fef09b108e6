#include "app/settings.hpp"

#include <iostream>

#include "actors/market/indicators/indicator_set.hpp"
#include "app/market_config.hpp"

namespace troupe::app {

std::optional<settings> load_settings(const std::string& node_file) {
  settings all;
  const auto result = load_config(node_file, {market_section(all.market, market::indicator_violation)});
  if (!result.options) {
    for (const auto& v : result.violations) std::cerr << to_string(v) << '\n';
    std::cerr << result.violations.size() << " violation(s); nothing was started\n";
    return std::nullopt;
  }
  all.cluster = result.options->cluster;
  all.node = result.options->node;
  return all;
}

}  // namespace troupe::app
