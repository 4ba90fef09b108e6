#include "app/catalog.hpp"

#include "actors/market/market_decoder.hpp"
#include "actors/market/market_tables.hpp"
#include "actors/market/symbol_entity.hpp"
#include "actors/ops/notification_entity.hpp"
#include "actors/ops/notification_tables.hpp"
#include "actors/trading/backtest_job.hpp"
#include "actors/trading/backtest_sweep.hpp"
#include "actors/trading/fills_decoder.hpp"
#include "actors/trading/paper_venue_entity.hpp"
#include "actors/trading/portfolio_entity.hpp"
#include "actors/trading/risk_entity.hpp"
#include "actors/trading/session_entity.hpp"
#include "actors/trading/session_tables.hpp"
#include "actors/trading/sweep_tables.hpp"
#include "actors/trading/trading_tables.hpp"
#include "runtime/base/ensure.hpp"
#include "runtime/codec/text.hpp"

namespace troupe::app {

namespace {

void add_trading(catalog& to, trading::trading_options options,
                 const trading::notice_rules& notices) {
  options.notices = notices;
  const auto shared = std::make_shared<const trading::trading_options>(std::move(options));
  to.kinds.push_back(trading::make_session_kind(shared));
  to.kinds.push_back(trading::make_risk_kind(
      [shared](std::string_view portfolio) {
        trading::faults wrong;
        const auto limits = trading::parse_risk_limits(shared->limits, portfolio, wrong);
        ensure(limits.has_value(), "limits are checked with the config");
        return *limits;
      },
      notices));
  to.kinds.push_back(trading::make_portfolio_kind(notices.fills));
  to.kinds.push_back(trading::make_paper_venue_kind(shared->paper));
  to.ingress.push_back({std::string(trading::session_commands_topic),
                        std::string(trading::session_kind), trading::make_session_command_decoder});
  to.ingress.push_back({std::string(trading::fills_topic), std::string(trading::portfolio_kind),
                        trading::make_fills_decoder});
  to.egress.emplace_back(trading::session_events_topic);
  to.egress.emplace_back(trading::orders_topic);
}

}  // namespace

catalog make_catalog(const settings& from) {
  const auto& market = from.market;
  catalog all;
  all.kinds.push_back(market::make_symbol_kind(market));
  all.ingress.push_back({std::string(market::market_topic), std::string(market::symbol_kind),
                         [market] { return std::make_unique<market::market_decoder>(market); }});
  add_trading(all, from.trading, from.notifications.rules);
  all.kinds.push_back(ops::make_notification_kind(
      std::make_shared<const ops::notification_options>(from.notifications)));
  const auto sweeps = std::make_shared<const trading::sweep_options>(from.backtests);
  all.kinds.push_back(trading::make_backtest_sweep_kind(sweeps));
  all.kinds.push_back(trading::make_backtest_job_kind(sweeps));
  all.egress.emplace_back(ops::notifications_topic);
  all.egress.insert(all.egress.end(),
                    {std::string(market::bars_topic), std::string(market::indicators_topic),
                     std::string(dead_letter_topic)});
  for (auto& def : all.ingress) {
    def.record_bytes_max = from.cluster.ingress.record_bytes_max;
    def.partitions = from.cluster.shards;
  }
  return all;
}

std::vector<const table_def*> result_tables() {
  return {&market::bar_table,          &market::top_of_book_table,  &market::indicator_plan_table,
          &trading::order_table,       &trading::verdict_table,     &trading::fill_table,
          &trading::risk_change_table, &trading::backtest_run_table};
}

std::vector<store::migration> all_migrations() {
  const auto runtime = store::runtime_migrations();
  std::vector<store::migration> all(runtime.begin(), runtime.end());
  for (const auto& script : market::market_migrations()) all.push_back({script.name, script.sql});
  for (const auto& script : trading::trading_migrations()) all.push_back({script.name, script.sql});
  for (const auto& script : trading::session_migrations()) all.push_back({script.name, script.sql});
  for (const auto& script : ops::notification_migrations())
    all.push_back({script.name, script.sql});
  for (const auto& script : trading::sweep_migrations()) all.push_back({script.name, script.sql});
  return all;
}

}  // namespace troupe::app
