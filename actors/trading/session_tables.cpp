#include "actors/trading/session_tables.hpp"

namespace troupe::trading {

namespace {

constexpr std::string_view views = R"sql(
create view sessions as
select e.key as session, c.portfolio, c.strategy, c.parameters::jsonb as parameters,
       c.bars as period, s.phase,
       array(select i -> 'instrument' ->> 'symbol' from json_array_elements(s.symbols) as i)
         as symbols,
       s.last_number as requests,
       (select coalesce(sum(json_array_length(i -> 'open')), 0)
          from json_array_elements(s.symbols) as i) as open_orders,
       market_time(t.created_at) as created_at, market_time(t.commanded_at) as commanded_at
  from entity e
  cross join lateral json_to_record(e.state) as t(session json, created_at bigint,
    commanded_at bigint)
  cross join lateral json_to_record(t.session) as s(settings json, phase text, last_number bigint,
    symbols json)
  cross join lateral json_to_record(s.settings) as c(portfolio text, strategy text,
    parameters json, bars text)
 where e.kind = 'session';
)sql";

constexpr market::sql_script scripts[] = {{"sessions/0001_views", views}};

}  // namespace

std::span<const market::sql_script> session_migrations() {
  return scripts;
}

}  // namespace troupe::trading
