#include "app/catalog.hpp"

#include "actors/market/market_decoder.hpp"
#include "actors/market/market_tables.hpp"
#include "actors/market/symbol_entity.hpp"
#include "actors/trading/session_entity.hpp"
#include "actors/trading/session_tables.hpp"
#include "runtime/codec/text.hpp"

namespace troupe::app {

namespace {

void add_trading(catalog& to, const trading::trading_options& options) {
  const auto shared = std::make_shared<const trading::trading_options>(options);
  to.kinds.push_back(trading::make_session_kind(shared));
  to.ingress.push_back({std::string(trading::session_commands_topic),
                        std::string(trading::session_kind), trading::make_session_command_decoder});
  to.egress.emplace_back(trading::session_events_topic);
}

}  // namespace

catalog make_catalog(const settings& from) {
  const auto& market = from.market;
  const std::size_t bytes_max = from.cluster.ingress.record_bytes_max;
  catalog all;
  all.kinds.push_back(market::make_symbol_kind(market));
  all.ingress.push_back(
      {std::string(market::market_topic), std::string(market::symbol_kind), [market, bytes_max] {
         return std::make_unique<market::market_decoder>(market, bytes_max);
       }});
  add_trading(all, from.trading);
  all.egress.insert(all.egress.end(),
                    {std::string(market::bars_topic), std::string(market::indicators_topic),
                     std::string(dead_letter_topic)});
  return all;
}

std::vector<const table_def*> result_tables() {
  return {&market::bar_table, &market::top_of_book_table, &market::indicator_plan_table};
}

std::vector<store::migration> all_migrations() {
  const auto runtime = store::runtime_migrations();
  std::vector<store::migration> all(runtime.begin(), runtime.end());
  for (const auto& script : market::market_migrations()) all.push_back({script.name, script.sql});
  for (const auto& script : trading::session_migrations()) all.push_back({script.name, script.sql});
  return all;
}

}  // namespace troupe::app
