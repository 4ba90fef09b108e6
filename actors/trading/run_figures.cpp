#include "actors/trading/run_figures.hpp"

#include <cmath>

namespace troupe::trading {

using nlohmann::json;

namespace {

constexpr run_figure figures[] = {
    {"initial_equity", &run_metrics::initial_equity},
    {"final_equity", &run_metrics::final_equity},
    {"days", &run_metrics::days},
    {"total_return", &run_metrics::total_return},
    {"annual_return", &run_metrics::annual_return},
    {"volatility", &run_metrics::volatility},
    {"sharpe", &run_metrics::sharpe},
    {"sortino", &run_metrics::sortino},
    {"calmar", &run_metrics::calmar},
    {"max_drawdown", &run_metrics::max_drawdown},
    {"max_drawdown_days", &run_metrics::max_drawdown_days},
    {"exposure", &run_metrics::exposure},
    {"turnover", &run_metrics::turnover},
    {"fees", &run_metrics::fees},
    {"fills", &run_metrics::fills},
    {"trades", &run_metrics::trades},
    {"wins", &run_metrics::wins},
    {"losses", &run_metrics::losses},
    {"win_rate", &run_metrics::win_rate},
    {"profit_factor", &run_metrics::profit_factor},
    {"mean_trade", &run_metrics::mean_trade},
    {"mean_win", &run_metrics::mean_win},
    {"mean_loss", &run_metrics::mean_loss},
    {"best_trade", &run_metrics::best_trade},
    {"worst_trade", &run_metrics::worst_trade},
    {"mean_trade_days", &run_metrics::mean_trade_days},
};

json shown(double value) {
  return std::isfinite(value) ? json(value) : json(nullptr);
}
json shown(std::int64_t value) {
  return value;
}
json shown(fixed value) {
  return to_string(value);
}
json shown(std::optional<fixed> value) {
  return value ? json(to_string(*value)) : json(nullptr);
}

void take(field_reader& from, std::string_view name, double& to) {
  to = run_metrics::none;
  const auto* found = from.member(name);
  if (found == nullptr || found->is_null()) return;
  if (!found->is_number()) return from.refuse(name, "must be a number or null");
  to = found->get<double>();
}
void take(field_reader& from, std::string_view name, std::int64_t& to) {
  from.whole(name, to, INT64_MIN, INT64_MAX);
}
void take(field_reader& from, std::string_view name, fixed& to) {
  from.decimal(name, to, fixed::from_raw(INT64_MIN));
}
void take(field_reader& from, std::string_view name, std::optional<fixed>& to) {
  to.reset();
  const auto* found = from.member(name);
  if (found != nullptr && !found->is_null()) take(from, name, to.emplace());
}

}  // namespace

std::span<const run_figure> run_figures() {
  return figures;
}

json json_of(const run_metrics& m) {
  json all = json::object();
  for (const auto& [name, member] : figures)
    std::visit([&, key = std::string(name)](auto place) { all[key] = shown(m.*place); }, member);
  return all;
}

void read(field_reader& from, run_metrics& to) {
  for (const auto& [name, member] : figures)
    std::visit([&, key = name](auto place) { take(from, key, to.*place); }, member);
}

}  // namespace troupe::trading
