#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "actors/market/market_options.hpp"
#include "actors/ops/notification_options.hpp"
#include "actors/trading/sweep_options.hpp"
#include "actors/trading/trading_options.hpp"
#include "runtime/options/load.hpp"

namespace troupe::app {

/// What a node's config files say, every domain's part included.
struct settings {
  cluster_options cluster;
  node_options node;
  market::market_options market;
  trading::trading_options trading;
  ops::notification_options notifications;
  trading::sweep_options backtests;
};

/// How each domain reads its group of the cluster's file; `all` receives what it says.
std::vector<domain_section> domain_sections(settings& all);

/// What Kafka's and PostgreSQL's clients say of what is theirs in the cluster's file.
const library_checks& checks_of_libraries();

/// Reads them. Throws failure `bad_config` with every violation when there are any.
settings read_settings(const std::string& node_file);
/// The same for programs that tell it to standard error: nothing when there are any.
std::optional<settings> load_settings(const std::string& node_file);

/// `{"file", "field", "value", "allowed"}` of each.
nlohmann::json violations_json(const std::vector<violation>& all);

}  // namespace troupe::app
