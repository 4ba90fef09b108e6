#include "app/settings.hpp"

#include <iostream>

#include "app/market_config.hpp"
#include "app/notification_config.hpp"
#include "app/sweep_config.hpp"
#include "app/trading_config.hpp"

namespace troupe::app {

std::vector<domain_section> domain_sections(settings& all) {
  return {market_section(all.market), trading_section(all.trading),
          notification_section(all.notifications), sweep_section(all.backtests)};
}

std::optional<settings> load_settings(const std::string& node_file) {
  settings all;
  const auto result = load_config(node_file, domain_sections(all));
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
