#include "actors/market/market_tables.hpp"

namespace troupe::market {

using enum column_type;

// Rows go through functions that make the partition of a month before its first row: an INSERT
// cannot do that to the table that it writes. The functions return NULL; the INSERT around them,
// which never gets a row, is there because a commit runs data-modifying statements only.
const table_def bar_table{
    "bar",
    {text, text, timestamp, numeric, numeric, numeric, numeric, numeric, integer, integer, text},
    "insert into indicator_plan(id) select n from (select market_insert_bars(array_agg(c1), "
    "array_agg(c2), array_agg(c3), array_agg(c4), "
    "array_agg(c5), array_agg(c6), array_agg(c7), array_agg(c8), array_agg(c9), array_agg(c10), "
    "array_agg(c11)) as n from {rows}) written where n is not null"};

const table_def top_of_book_table{
    "top_of_book_second",
    {text, timestamp, numeric, numeric, numeric, numeric},
    "insert into indicator_plan(id) select n from (select market_insert_seconds(array_agg(c1), "
    "array_agg(c2), array_agg(c3), array_agg(c4), "
    "array_agg(c5), array_agg(c6)) as n from {rows}) written where n is not null"};

const table_def indicator_plan_table{
    "indicator_plan",
    {integer, text},
    "insert into indicator_plan(id) select n from (select market_insert_plans(array_agg(c1), "
    "array_agg(c2)) as n from {rows}) written where n is not null"};

namespace {

// Every wait of one shard's commit for another's is a wait for one advisory lock, taken before
// anything that others could want: no deadlock. ATTACH, unlike CREATE ... PARTITION OF, stops
// neither readers nor writers of the table.
constexpr std::string_view tables = R"sql(
create table bar (
  symbol    text        not null,
  period    text        not null,
  open_time timestamptz not null,
  open      numeric     not null,
  high      numeric     not null,
  low       numeric     not null,
  close     numeric     not null,
  volume    numeric     not null,
  trades    bigint      not null,
  plan      bigint      not null,
  "values"  float8[]    not null,
  primary key (symbol, period, open_time)
) partition by range (open_time);

create table top_of_book_second (
  symbol   text        not null,
  second   timestamptz not null,
  bid      numeric,
  bid_size numeric,
  ask      numeric,
  ask_size numeric,
  primary key (symbol, second)
) partition by range (second);

create table indicator_plan (
  id    bigint primary key,
  names text[] not null
);

create function market_lock() returns void language sql as
$$ select pg_advisory_xact_lock(hashtext('troupe market tables')) $$;

create function market_ensure_month(parent text, moment timestamptz) returns void language plpgsql as $$
declare
  first_day date := date_trunc('month', moment at time zone 'UTC');
  child text := format('%s_%s', parent, to_char(first_day, 'YYYY_MM'));
begin
  if to_regclass(child) is not null then return; end if;
  perform market_lock();
  -- Another may have made it meanwhile; to_regclass could still answer from its cache.
  if exists (select from pg_inherits i join pg_class c on c.oid = i.inhrelid
              where i.inhparent = parent::regclass and c.relname = child) then return; end if;
  execute format('create table %I (like %I including all)', child, parent);
  execute format('alter table %I attach partition %I for values from (%L) to (%L)', parent, child,
                 first_day::timestamp at time zone 'UTC',
                 (first_day + interval '1 month')::timestamp at time zone 'UTC');
end $$;

create function market_ensure_months(parent text, moments timestamptz[]) returns void
language plpgsql as $$
begin
  perform market_ensure_month(parent, m)
     from (select distinct date_trunc('month', t at time zone 'UTC') at time zone 'UTC' as m
             from unnest(moments) t order by 1) months;
end $$;

create function market_insert_bars(symbols text[], periods text[], times timestamptz[],
  opens numeric[], highs numeric[], lows numeric[], closes numeric[], volumes numeric[],
  trades bigint[], plans bigint[], vals text[]) returns bigint language plpgsql as $$
begin
  perform market_ensure_months('bar', times);
  insert into bar
  select s, p, t, o, h, l, c, v, n, i, a::float8[]
    from unnest(symbols, periods, times, opens, highs, lows, closes, volumes, trades, plans, vals)
      as r(s, p, t, o, h, l, c, v, n, i, a);
  return null;
end $$;

create function market_insert_seconds(symbols text[], seconds timestamptz[], bids numeric[],
  bid_sizes numeric[], asks numeric[], ask_sizes numeric[]) returns bigint language plpgsql as $$
begin
  perform market_ensure_months('top_of_book_second', seconds);
  insert into top_of_book_second
  select s, t, nullif(b, 0), case when b <> 0 then bs end, nullif(a, 0), case when a <> 0 then az end
    from unnest(symbols, seconds, bids, bid_sizes, asks, ask_sizes) as r(s, t, b, bs, a, az);
  return null;
end $$;

create function market_insert_plans(ids bigint[], plan_names text[]) returns bigint
language plpgsql as $$
begin
  if not exists (select from unnest(ids) i where i not in (select id from indicator_plan)) then
    return null;
  end if;
  perform market_lock();
  insert into indicator_plan
  select i, n::text[] from unnest(ids, plan_names) as r(i, n) on conflict (id) do nothing;
  return null;
end $$;
)sql";

constexpr std::string_view views = R"sql(
create function market_time(micros bigint) returns timestamptz language sql immutable as
$$ select timestamptz 'epoch' + micros * interval '1 microsecond' $$;

create view bars as
select symbol, period, open_time, open, high, low, close, volume, trades from bar
union all
select e.key, o.period, market_time(o.open_time), o.open, o.high, o.low, o.close, o.volume, o.trades
  from entity e
  cross join lateral json_to_recordset(e.state -> 'open') as o(period text, open_time bigint,
    open numeric, high numeric, low numeric, close numeric, volume numeric, trades bigint)
 where e.kind = 'symbol';

create view indicators as
select b.symbol, b.period, b.open_time, v.name, v.value
  from bar b
  join indicator_plan p on p.id = b.plan
  cross join lateral unnest(p.names, b."values") as v(name, value)
 where v.value is not null;

create view top_of_book as
select symbol, second, bid, bid_size, ask, ask_size from top_of_book_second
union all
select e.key, market_time(q.second), nullif(q.bid, 0), case when q.bid <> 0 then q.bid_size end,
       nullif(q.ask, 0), case when q.ask <> 0 then q.ask_size end
  from entity e
  cross join lateral json_to_record(e.state -> 'quote') as q(second bigint, bid numeric,
    bid_size numeric, ask numeric, ask_size numeric)
 where e.kind = 'symbol' and q.second is not null;

create view symbols as
select e.key as symbol, s.trades, s.volume, s.last_price, market_time(s.last_time) as last_time,
       s.refused
  from entity e
  cross join lateral json_to_record(e.state) as s(trades bigint, volume numeric, last_price numeric,
    last_time bigint, refused bigint)
 where e.kind = 'symbol';

create view refusals as
select e.key as symbol, r.key as reason, r.value::bigint as count
  from entity e
  cross join lateral json_each_text(e.state -> 'refusals') as r
 where e.kind = 'symbol';
)sql";

constexpr std::string_view counts = R"sql(
create view symbol_events as
select e.key as symbol, r.key as event, r.value::bigint as received,
       (e.state -> 'applied' ->> r.key)::bigint as applied
  from entity e
  cross join lateral json_each_text(e.state -> 'received') as r
 where e.kind = 'symbol';
)sql";

constexpr sql_script scripts[] = {
    {"market/0001_tables", tables}, {"market/0002_views", views}, {"market/0003_counts", counts}};

}  // namespace

std::span<const sql_script> market_migrations() {
  return scripts;
}

}  // namespace troupe::market
