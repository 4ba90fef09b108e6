#include "app/settings.hpp"

#include <iostream>

#include "app/failure.hpp"
#include "app/market_config.hpp"
#include "app/notification_config.hpp"
#include "app/sweep_config.hpp"
#include "app/trading_config.hpp"
#include "runtime/bridge/kafka_options.hpp"
#include "runtime/store/dsn_check.hpp"

namespace troupe::app {

namespace {

failure bad_config(const std::vector<violation>& found) {
  std::string text;
  for (const auto& v : found) (text += text.empty() ? "" : "\n") += to_string(v);
  if (found.size() == 1 && found.front().field.empty()) text += "; --config names another file";
  return {"bad_config", text, {{"violations", violations_json(found)}}};
}

}  // namespace

std::vector<domain_section> domain_sections(settings& all) {
  return {market_section(all.market), trading_section(all.trading),
          notification_section(all.notifications), sweep_section(all.backtests)};
}

const library_checks& checks_of_libraries() {
  static const library_checks all{bridge::refusal_of_setting, store::refusal_of_dsn};
  return all;
}

settings read_settings(const std::string& node_file) {
  settings all;
  const auto result =
      load_config(node_file, domain_sections(all), process_environment(), checks_of_libraries());
  if (!result.options) throw bad_config(result.violations);
  all.cluster = result.options->cluster;
  all.node = result.options->node;
  return all;
}

std::optional<settings> load_settings(const std::string& node_file) {
  try {
    return read_settings(node_file);
  } catch (const failure& e) {
    std::cerr << printable(e.what()) << '\n';
    return std::nullopt;
  }
}

nlohmann::json violations_json(const std::vector<violation>& all) {
  auto list = nlohmann::json::array();
  for (const auto& v : all)
    list.push_back(
        {{"file", v.file}, {"field", v.field}, {"value", v.value}, {"allowed", v.allowed}});
  return list;
}

}  // namespace troupe::app
