#include "app/settings.hpp"

#include <iostream>

#include "app/market_config.hpp"

namespace troupe::app {

std::vector<domain_section> domain_sections(market::market_options& market) {
  return {market_section(market)};
}

std::optional<settings> load_settings(const std::string& node_file) {
  settings all;
  const auto result = load_config(node_file, domain_sections(all.market));
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
