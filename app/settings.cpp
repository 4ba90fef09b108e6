#include "app/settings.hpp"

#include <iostream>

#include "app/market_config.hpp"
#include "app/notification_config.hpp"
#include "app/sweep_config.hpp"
#include "app/trading_config.hpp"
#include "runtime/bridge/kafka_options.hpp"
#include "runtime/store/dsn_check.hpp"

namespace troupe::app {

std::vector<domain_section> domain_sections(settings& all) {
  return {market_section(all.market), trading_section(all.trading),
          notification_section(all.notifications), sweep_section(all.backtests)};
}

const library_checks& checks_of_libraries() {
  static const library_checks all{bridge::refusal_of_setting, store::refusal_of_dsn};
  return all;
}

std::optional<settings> load_settings(const std::string& node_file) {
  settings all;
  const auto result =
      load_config(node_file, domain_sections(all), process_environment(), checks_of_libraries());
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
