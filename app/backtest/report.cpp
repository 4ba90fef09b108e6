#include "app/backtest/report.hpp"

#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "actors/trading/messages.hpp"
#include "actors/trading/run_figures.hpp"
#include "app/feed/progress.hpp"
#include "app/feed/text_time.hpp"

namespace troupe::app {

namespace {

using namespace troupe::trading;
using nlohmann::json;

std::string minute_of(std::int64_t micros) {
  auto text = feed::time_text(micros);  // A year may have five digits.
  const auto day_end = text.find('T');
  constexpr std::size_t clock = 6;  // ` 14:30`
  text[day_end] = ' ';
  text.resize(day_end + clock);
  return text;
}

std::string amount_or_dash(std::optional<fixed> amount) {
  return amount ? to_string(*amount) : "-";
}

std::string duration(double days) {
  constexpr double hours = 24, minutes = 60;
  if (!(days < 1)) return two_decimals(days) + " days";  // Not a number, too.
  if (days * hours >= 1) return two_decimals(days * hours) + " hours";
  return two_decimals(days * hours * minutes) + " minutes";
}

std::string symbols_of(const backtest_settings& s) {
  std::string names;
  for (const auto& one : s.session.instruments) (names += names.empty() ? "" : ", ") += one.symbol;
  return names;
}

std::string size_text(const orders::size& size) {
  const auto amount = to_string(size.amount);
  switch (size.by) {
    case sizing::quantity:
      return amount + " units an order";
    case sizing::notional:
      return "for " + amount + " an order";
    case sizing::percent_of_equity:
      return amount + " % of equity an order";
    case sizing::volatility_target:
      return amount + " % of equity a day's deviation";
  }
  return {};
}

std::string parameters_text(const session_settings& s) {
  std::vector<std::string> wrong;
  const parameter_values values(find_strategy(s.strategy)->parameters, s.parameters, wrong);
  std::string text;
  for (const auto& [name, value] : values.all())
    (((text += text.empty() ? "" : " ") += name) += '=') += number_text(value);
  return text.empty() ? "none" : text;
}

class table {
 public:
  void row(std::string_view name, const std::string& value) {
    constexpr std::size_t width = 22;
    text_ += "  ";
    text_ += name;
    text_.append(name.size() < width ? width - name.size() : 1, ' ');
    (text_ += value) += '\n';
  }
  void title(const std::string& text) { (text_ += text) += '\n'; }
  std::string text() && { return std::move(text_); }

 private:
  std::string text_;
};

std::size_t denied(const backtest_result& r) {
  std::size_t count = 0;
  for (const auto& one : r.orders) count += one.refused != risk_refusal::none ? 1 : 0;
  return count;
}

void add_settings(table& to, const backtest_report& r) {
  const auto& s = r.settings;
  to.title(s.session.strategy + " on " + symbols_of(s));
  to.row("parameters", parameters_text(s.session));
  to.row("data", feed::grouped(static_cast<std::uint64_t>(r.result.events)) + " events, " +
                     minute_of(r.begin) + " to " + minute_of(r.end) + ", bars of " +
                     std::string(name_of(s.session.bars)));
  to.row("size", size_text(s.session.size));
  to.row("fee, slippage", to_string(s.venue.taker_fee_bps) + " bps (makers " +
                              to_string(s.venue.maker_fee_bps) + "), " +
                              to_string(s.venue.slippage_bps) + " bps");
}

void add_returns(table& to, const run_metrics& m, int days_per_year) {
  to.title("Returns (" + std::to_string(days_per_year) + " days a year)");
  to.row("equity", to_string(m.initial_equity) + " to " + to_string(m.final_equity));
  to.row("total return", percent(m.total_return));
  to.row("annual return", percent(m.annual_return));
  to.row("volatility", percent(m.volatility));
  to.row("Sharpe", two_decimals(m.sharpe));
  to.row("Sortino", two_decimals(m.sortino));
  to.row("Calmar", two_decimals(m.calmar));
  to.row("maximum drawdown", percent(m.max_drawdown) + ", " + duration(m.max_drawdown_days) +
                                 " from its peak to the next or the end");
  to.row("exposure", percent(m.exposure) + " of the time");
  to.row("turnover", two_decimals(m.turnover) + " times the mean equity");
}

void add_trades(table& to, const backtest_result& r) {
  const auto& m = r.metrics;
  to.title("Trades");
  to.row("orders", feed::grouped(r.orders.size()) + ", " + feed::grouped(denied(r)) + " denied");
  to.row("fills",
         feed::grouped(static_cast<std::uint64_t>(m.fills)) + ", fees " + to_string(m.fees));
  to.row("round trips",
         feed::grouped(static_cast<std::uint64_t>(m.trades)) + ", win rate " + percent(m.win_rate));
  to.row("profit factor", two_decimals(m.profit_factor));
  to.row("mean trade", two_decimals(m.mean_trade) + " (wins " + two_decimals(m.mean_win) +
                           ", losses " + two_decimals(m.mean_loss) + ")");
  to.row("best, worst", amount_or_dash(m.best_trade) + ", " + amount_or_dash(m.worst_trade));
  to.row("mean length", duration(m.mean_trade_days));
}

/// Denials by their names: without them an empty table explains nothing.
void add_denials(table& to, const backtest_result& r) {
  std::map<std::string_view, std::pair<std::size_t, std::string>> by_name;
  for (const auto& one : r.orders) {
    if (one.refused == risk_refusal::none) continue;
    auto& [count, first] = by_name[name_of(one.refused)];
    if (count++ == 0) first = one.detail;
  }
  if (by_name.empty()) return;
  to.title("Denied by the risk check");
  for (const auto& [name, what] : by_name)
    to.row(name, feed::grouped(what.first) + ", first: " + what.second);
}

json json_of(const order_row& o) {
  const auto& r = o.request;
  json j{{"number", r.number},
         {"id", o.id},
         {"symbol", r.symbol},
         {"side", name_of(r.side)},
         {"type", name_of(r.type)},
         {"quantity", to_string(o.quantity)},
         {"decided_at", to_micros(r.decided.time)},
         {"decided_offset", r.decided.offset},
         {"filled", to_string(o.filled)},
         {"value", to_string(o.value)},
         {"fees", to_string(o.fees)}};
  if (r.limit != fixed()) j["limit"] = to_string(r.limit);
  if (r.stop != fixed()) j["stop"] = to_string(r.stop);
  if (o.refused == risk_refusal::none)
    j["status"] = name_of(o.status);
  else
    j["denied"] = name_of(o.refused);
  if (!o.detail.empty()) j["detail"] = o.detail;
  return j;
}

/// Of the symbols that were traded.
json limits_json(const backtest_settings& s) {
  auto limits = s.limits;
  limits.symbols.clear();
  for (const auto& one : s.session.instruments)
    if (const auto* own = s.limits.find(one.symbol)) limits.symbols[one.symbol] = *own;
  return {{"default", to_json(limits)}};
}

json refused_json(const backtest_result& r) {
  auto all = json::object();
  for (std::size_t i = 0; i < r.refused.size(); ++i)
    if (r.refused[i] > 0) all[std::string(name_of(market::refusal(i)))] = r.refused[i];
  return all;
}

/// What the report would be without, silently.
void add_left_out(std::string& to, const backtest_report& r) {
  if (r.left_out > 0)
    to += "records left out: " + feed::grouped(r.left_out) +
          " (tickers, book updates, other bars, ticks beside bars)\n";
  if (r.bad_lines > 0) to += "bad lines skipped: " + feed::grouped(r.bad_lines) + '\n';
  const auto refused = refused_json(r.result);
  if (refused.empty()) return;
  to += "events that the market's rules refuse:";
  for (const auto& [name, count] : refused.items()) to += ' ' + name + ' ' + count.dump();
  to += " (no strategy has seen them)\n";
}

json json_of(const round_trip& t, const session_settings& s) {
  return {{"symbol", s.instruments[t.symbol].symbol},
          {"side", name_of(t.opened_by)},
          {"opened", t.opened},
          {"closed", t.closed},
          {"quantity", to_string(t.quantity)},
          {"fees", to_string(t.fees)},
          {"profit", to_string(t.profit)}};
}

}  // namespace

std::string two_decimals(double value) {
  if (!std::isfinite(value)) return "-";
  char text[64];
  std::snprintf(text, sizeof text, "%.2f", value);
  return text == std::string_view("-0.00") ? "0.00" : text;
}

std::string percent(double share) {
  return std::isfinite(share) ? two_decimals(share * 100) + " %" : "-";
}

std::string text_of(const backtest_report& report) {
  table text;
  add_settings(text, report);
  add_returns(text, report.result.metrics, report.settings.days_per_year);
  add_trades(text, report.result);
  add_denials(text, report.result);
  auto whole = std::move(text).text();
  add_left_out(whole, report);
  return whole;
}

json settings_json(const backtest_report& r) {
  const auto& s = r.settings;
  json symbols = json::array();
  for (const auto& one : s.session.instruments) symbols.push_back(one.symbol);
  std::vector<std::string> wrong;
  const parameter_values values(find_strategy(s.session.strategy)->parameters, s.session.parameters,
                                wrong);
  return {{"strategy", s.session.strategy},
          {"parameters", values.all()},
          {"symbols", std::move(symbols)},
          {"files", r.data.files},
          {"period", r.data.bars ? json(name_of(*r.data.bars)) : json(nullptr)},
          {"skip_bad_lines", r.data.skip_bad_lines},
          {"bars", name_of(s.session.bars)},
          {"size_by", name_of(s.session.size.by)},
          {"size", to_string(s.session.size.amount)},
          {"size_text", size_text(s.session.size)},
          {"cash", to_string(s.cash)},
          {"maker_fee_bps", to_string(s.venue.maker_fee_bps)},
          {"taker_fee_bps", to_string(s.venue.taker_fee_bps)},
          {"slippage_bps", to_string(s.venue.slippage_bps)},
          {"latency_ms", s.venue.latency_micros / feed::us_per_ms},
          {"displayed_size", s.venue.displayed_size},
          {"queue_position", s.venue.queue_position},
          {"limits", limits_json(s)},
          {"days_per_year", s.days_per_year}};
}

json json_of(const backtest_report& report) {
  const auto& r = report.result;
  json orders = json::array(), fills = json::array(), trades = json::array(),
       equity = json::array(), positions = json::object();
  for (const auto& one : r.orders) orders.push_back(json_of(one));
  for (const auto& one : r.fills) fills.emplace_back(trading::json_of(one)).emplace("fee", "0");
  for (const auto& one : r.trips) trades.push_back(json_of(one, report.settings.session));
  for (const auto& p : r.curve)
    equity.push_back({{"time", p.time}, {"equity", to_string(p.equity)}, {"drawdown", p.drawdown}});
  for (std::size_t i = 0; i < r.positions.size(); ++i)
    positions[report.settings.session.instruments[i].symbol] = to_string(r.positions[i]);
  return {{"settings", settings_json(report)}, {"events", r.events},
          {"seconds", report.seconds},         {"metrics", json_of(r.metrics)},
          {"cash", to_string(r.cash)},         {"fees", to_string(r.metrics.fees)},
          {"positions", std::move(positions)}, {"orders", std::move(orders)},
          {"fills", std::move(fills)},         {"trades", std::move(trades)},
          {"equity", std::move(equity)},       {"bad_lines", report.bad_lines},
          {"left_out", report.left_out},       {"refused", refused_json(r)}};
}

}  // namespace troupe::app
