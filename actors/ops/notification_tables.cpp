#include "actors/ops/notification_tables.hpp"

namespace troupe::ops {

namespace {

constexpr std::string_view views = R"sql(
create view notifications as
select e.key as channel, s.type, s.delivered, json_array_length(s.waiting) as waiting, s.dead,
       s.dead_by::jsonb as dead_by, s.repeated,
       case when s.delivered_at > 0 then market_time(s.delivered_at) end as delivered_at,
       s.last_error
  from entity e
  cross join lateral json_to_record(e.state) as s(type text, delivered bigint, waiting json,
    dead bigint, dead_by json, repeated bigint, delivered_at bigint, last_error text)
 where e.kind = 'notification';
)sql";

constexpr market::sql_script scripts[] = {{"notifications/0001_view", views}};

}  // namespace

std::span<const market::sql_script> notification_migrations() {
  return scripts;
}

}  // namespace troupe::ops
