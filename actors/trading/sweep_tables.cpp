#include "actors/trading/sweep_tables.hpp"

#include <nlohmann/json.hpp>

#include "actors/trading/run_figures.hpp"

namespace troupe::trading {

namespace {

constexpr std::size_t own_columns = 9;

/// A decimal that may be missing goes as a text, which can be empty.
column_type type_of(const run_figure& f) {
  constexpr column_type types[] = {column_type::real, column_type::integer, column_type::numeric,
                                   column_type::text};
  return types[f.member.index()];
}

void add_figure(row_block& to, std::optional<fixed> value) {
  to.add(value ? to_string(*value) : std::string());
}
void add_figure(row_block& to, auto value) {
  to.add(value);
}

std::vector<column_type> columns() {
  using enum column_type;
  std::vector<column_type> all{text, integer, text, text, text, text, integer, real, timestamp};
  for (const auto& f : run_figures()) all.push_back(type_of(f));
  return all;
}

/// Results never change; what failed may be followed by another end.
std::string_view insert() {
  static const std::string sql = [] {
    std::string names = "sweep, number, parameters, status, reason, node, asked, seconds, ended";
    std::string values = "c1, c2, c3::json, c4, c5, c6, c7, c8, c9", changes;
    auto column = own_columns;
    for (const auto& f : run_figures()) {
      names.append(", ").append(f.name);
      const auto place = 'c' + std::to_string(++column);
      const bool decimal_text = type_of(f) == column_type::text;
      values.append(", ").append(decimal_text ? "nullif(" + place + ", '')::numeric" : place);
      changes.append(", ").append(f.name).append(" = excluded.").append(f.name);
    }
    return "insert into backtest_run(" + names + ") select " + values +
           " from {rows} on conflict (sweep, number) do update set status = excluded.status, "
           "reason = excluded.reason, node = excluded.node, asked = excluded.asked, seconds = "
           "excluded.seconds, ended = excluded.ended" +
           changes + " where backtest_run.status = 'failed'";
  }();
  return sql;
}

constexpr std::string_view table = R"sql(
create table backtest_run (
  sweep             text        not null,
  number            bigint      not null,
  parameters        json        not null,
  status            text        not null,
  reason            text        not null,
  node              text        not null,
  asked             bigint      not null,
  seconds           float8      not null,
  ended             timestamptz not null,
  initial_equity    numeric     not null,
  final_equity      numeric     not null,
  days              bigint      not null,
  total_return      float8,
  annual_return     float8,
  volatility        float8,
  sharpe            float8,
  sortino           float8,
  calmar            float8,
  max_drawdown      float8,
  max_drawdown_days float8,
  exposure          float8,
  turnover          float8,
  fees              numeric     not null,
  fills             bigint      not null,
  trades            bigint      not null,
  wins              bigint      not null,
  losses            bigint      not null,
  win_rate          float8,
  profit_factor     float8,
  mean_trade        float8,
  mean_win          float8,
  mean_loss         float8,
  best_trade        float8,
  worst_trade       float8,
  mean_trade_days   float8,
  primary key (sweep, number)
);
)sql";

constexpr std::string_view views = R"sql(
create view backtest_runs as
select sweep, number, parameters::jsonb as parameters, status, nullif(reason, '') as reason, node,
       asked, seconds, ended, initial_equity, final_equity, days, total_return, annual_return,
       volatility, sharpe, sortino, calmar, max_drawdown, max_drawdown_days, exposure, turnover,
       fees, fills, trades, wins, losses, win_rate, profit_factor, mean_trade, mean_win, mean_loss,
       best_trade, worst_trade, mean_trade_days
  from backtest_run;

create view backtest_sweeps as
select e.key as sweep, t.strategy, s.phase, s.runs, s.done, json_array_length(s.failed) as failed,
       s.open, s.left_out, nullif(s.reason, '') as reason, o.axes::jsonb as axes,
       array(select i ->> 'symbol' from json_array_elements(o.settings -> 'instruments') as i)
         as symbols,
       o.data, o.settings::jsonb as settings, market_time(s.submitted_at) as submitted_at,
       case when s.ended_at > 0 then market_time(s.ended_at) end as ended_at
  from entity e
  cross join lateral json_to_record(e.state) as s("order" json, phase text, runs bigint,
    done bigint, failed json, open bigint, left_out bigint, reason text, submitted_at bigint,
    ended_at bigint)
  cross join lateral json_to_record(s."order") as o(data text, settings json, axes json)
  cross join lateral json_to_record(o.settings -> 'session') as t(strategy text)
 where e.kind = 'backtest_sweep';
)sql";

// Money is exact. Floats of old rows have 15 digits of it.
constexpr std::string_view exact_trades = R"sql(
drop view backtest_runs;
alter table backtest_run
  alter column best_trade type numeric using best_trade::numeric,
  alter column worst_trade type numeric using worst_trade::numeric;
create view backtest_runs as
select sweep, number, parameters::jsonb as parameters, status, nullif(reason, '') as reason, node,
       asked, seconds, ended, initial_equity, final_equity, days, total_return, annual_return,
       volatility, sharpe, sortino, calmar, max_drawdown, max_drawdown_days, exposure, turnover,
       fees, fills, trades, wins, losses, win_rate, profit_factor, mean_trade, mean_win, mean_loss,
       best_trade, worst_trade, mean_trade_days
  from backtest_run;
)sql";

constexpr market::sql_script scripts[] = {{"sweeps/0001_runs", table},
                                          {"sweeps/0002_views", views},
                                          {"sweeps/0003_exact_trades", exact_trades}};

}  // namespace

const table_def backtest_run_table{"backtest_run", columns(), insert()};

void add_row(row_block& to, const ended_run& run) {
  const bool failed = !run.reason.empty();
  to.row()
      .add(run.sweep)
      .add(run.number)
      .add(nlohmann::json(run.parameters).dump())
      .add(failed ? std::string_view("failed") : std::string_view("done"))
      .add(run.reason)
      .add(run.node)
      .add(run.asked)
      .add(run.seconds)
      .add(run.at);
  for (const auto& f : run_figures())
    std::visit([&](auto place) { add_figure(to, run.metrics.*place); }, f.member);
}

std::span<const market::sql_script> sweep_migrations() {
  return scripts;
}

}  // namespace troupe::trading
