#include "actors/trading/trading_tables.hpp"

namespace troupe::trading {

using enum column_type;

// One commit may bring several states of one order: the newest counts.
const table_def order_table{
    "trading_order",
    {text, integer, integer, text,    integer, integer, text,    text,      text,
     text, integer, integer, numeric, numeric, numeric, numeric, text,      integer,
     text, integer, numeric, numeric, numeric, text,    integer, timestamp, timestamp},
    "insert into trading_order select distinct on (c1, c2) c1, c2, c3, c4, c5, c6, c7, c8, c9, "
    "c10, c11 <> 0, c12 <> 0, c13, nullif(c14, 0), nullif(c15, 0), nullif(c16, 0), c17, c18, c19, "
    "c20 <> 0, c21, c22, c23, c24, nullif(c25, 0), c26, c27 from {rows} order by c1, c2, c3 desc "
    "on conflict (portfolio, number) do update set changes = excluded.changes, quantity = "
    "excluded.quantity, status = excluded.status, cancel_asked = excluded.cancel_asked, filled = "
    "excluded.filled, value = excluded.value, fees = excluded.fees, reason = excluded.reason, "
    "updated = excluded.updated where excluded.changes > trading_order.changes"};

const table_def verdict_table{
    "risk_verdict",
    {text, integer, timestamp, text, integer, text, text, text, text, text, text, numeric, numeric,
     text},
    "insert into risk_verdict select c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11, nullif(c12, 0), "
    "nullif(c13, 0), c14::json from {rows}"};

const table_def fill_table{
    "trading_fill",
    {text, integer, text, timestamp, text, text, text, integer, numeric, numeric, numeric, numeric},
    "insert into trading_fill select c1, c2, c3, c4, c5, c6, c7, c8 <> 0, c9, c10, c11, c12 "
    "from {rows}"};

const table_def risk_change_table{
    "risk_change",
    {text, integer, timestamp, text, text, text, text, text},
    "insert into risk_change select c1, c2, c3, c4, c5, c6, c7, c8 from {rows}"};

void add_row(row_block& to, const order& o, std::int64_t changes) {
  const auto& t = o.terms;
  to.row()
      .add(t.portfolio)
      .add(o.number)
      .add(changes)
      .add(o.session)
      .add(o.request)
      .add(o.verdict)
      .add(t.symbol)
      .add(name_of(t.side))
      .add(name_of(t.type))
      .add(name_of(t.in_force))
      .add(std::int64_t{t.post_only})
      .add(std::int64_t{t.reduce_only})
      .add(t.quantity)
      .add(t.limit)
      .add(t.stop)
      .add(t.trail)
      .add(t.oco_group)
      .add(t.decided.offset)
      .add(name_of(o.status))
      .add(std::int64_t{o.cancel_asked})
      .add(o.filled)
      .add_wide(o.value)
      .add_wide(o.fees)
      .add(o.reason)
      .add(o.entry)
      .add(t.decided.time)
      .add(o.updated);
}

void add_row(row_block& to, std::string_view portfolio, const order_request& request,
             const verdict& given) {
  to.row()
      .add(portfolio)
      .add(given.number)
      .add(request.decided.time)
      .add(request.session)
      .add(request.number)
      .add(request.symbol)
      .add(name_of(request.side))
      .add(name_of(request.type))
      .add(given.approved() ? std::string_view("approved") : std::string_view("refused"))
      .add(given.approved() ? std::string_view() : name_of(given.refused))
      .add(given.detail)
      .add(given.quantity)
      .add(given.reserve_price)
      .add(json_of(request).dump());
}

void add_row(row_block& to, std::string_view portfolio, const order& o, const fill& f) {
  to.row()
      .add(portfolio)
      .add(o.number)
      .add(f.id)
      .add(f.time)
      .add(o.session)
      .add(f.symbol)
      .add(name_of(f.side))
      .add(std::int64_t{f.maker})
      .add(f.quantity)
      .add(f.price)
      .add(f.fee)
      .add_wide(cost_of(f));
}

void add_row(row_block& to, const risk_change& change) {
  to.row()
      .add(change.portfolio)
      .add(change.number)
      .add(change.time)
      .add(change.what)
      .add(change.before)
      .add(change.after)
      .add(change.by)
      .add(change.reason);
}

namespace {

constexpr std::string_view tables = R"sql(
create table trading_order (
  portfolio    text        not null,
  number       bigint      not null,
  changes      bigint      not null,
  session      text        not null,
  request      bigint      not null,
  verdict      bigint      not null,
  symbol       text        not null,
  side         text        not null,
  type         text        not null,
  in_force     text        not null,
  post_only    boolean     not null,
  reduce_only  boolean     not null,
  quantity     numeric     not null,
  limit_price  numeric,
  stop_price   numeric,
  trail        numeric,
  oco_group    text        not null,
  decided      bigint      not null,
  status       text        not null,
  cancel_asked boolean     not null,
  filled       numeric     not null,
  value        numeric     not null,
  fees         numeric     not null,
  reason       text        not null,
  entry        bigint,
  placed       timestamptz not null,
  updated      timestamptz not null,
  primary key (portfolio, number)
);

create table risk_verdict (
  portfolio     text        not null,
  number        bigint      not null,
  decided       timestamptz not null,
  session       text        not null,
  request       bigint      not null,
  symbol        text        not null,
  side          text        not null,
  type          text        not null,
  verdict       text        not null,
  code          text        not null,
  detail        text        not null,
  quantity      numeric,
  reserve_price numeric,
  asked         json        not null,
  primary key (portfolio, number)
);
create index on risk_verdict (session, request);

create table trading_fill (
  portfolio text        not null,
  number    bigint      not null,
  id        text        not null,
  time      timestamptz not null,
  session   text        not null,
  symbol    text        not null,
  side      text        not null,
  maker     boolean     not null,
  quantity  numeric     not null,
  price     numeric     not null,
  fee       numeric     not null,
  cost      numeric     not null,
  primary key (portfolio, number, id)
);

create table risk_change (
  portfolio text        not null,
  number    bigint      not null,
  time      timestamptz not null,
  what      text        not null,
  before    text        not null,
  after     text        not null,
  by        text        not null,
  reason    text        not null,
  primary key (portfolio, number)
);
)sql";

constexpr std::string_view views = R"sql(
create view orders as
select portfolio || '-' || number as id, portfolio, number, session, nullif(request, 0) as request,
       nullif(verdict, 0) as verdict, symbol, side, type, in_force, post_only, reduce_only, quantity,
       limit_price, stop_price, trail, nullif(oco_group, '') as oco_group,
       portfolio || '-' || entry as entry, status, cancel_asked, filled, value, fees,
       case when filled > 0 then value / filled end as average_price,
       nullif(reason, '') as reason, nullif(decided, -1) as decided, placed, updated
  from trading_order;

create view risk_verdicts as
select portfolio, number, decided, session, request, symbol, side, type, verdict,
       nullif(code, '') as code, nullif(detail, '') as detail, quantity, reserve_price, asked
  from risk_verdict;

create view fills as
select portfolio || '-' || number as "order", id, portfolio, session, symbol, side, maker, quantity,
       price, fee, cost, time
  from trading_fill;

create view positions as
select e.key as portfolio, s.symbol, s.quantity, s.cost,
       case when s.quantity <> 0 then s.cost / s.quantity end as entry_price, s.mark,
       s.quantity * s.mark - s.cost as unrealised, s.realised, s.fees, s.bought, s.sold, s.fills
  from entity e
  cross join lateral json_to_recordset(e.state -> 'symbols') as s(symbol text, quantity numeric,
    cost numeric, mark numeric, realised numeric, fees numeric, bought numeric, sold numeric,
    fills bigint)
 where e.kind = 'portfolio';

create view portfolios as
select e.key as portfolio, p.venue, p.initial, p.cash,
       p.cash + coalesce(sum(h.quantity * h.mark), 0) as equity,
       coalesce(sum(h.realised), 0) as realised, coalesce(sum(h.unrealised), 0) as unrealised,
       coalesce(sum(h.fees), 0) as fees, p.last_number as orders
  from entity e
  cross join lateral json_to_record(e.state) as p(venue text, initial numeric, cash numeric,
    last_number bigint)
  left join positions h on h.portfolio = e.key
 where e.kind = 'portfolio'
 group by e.key, p.venue, p.initial, p.cash, p.last_number;

create view risk_audit as
select portfolio, number, time, what, before, after, by, nullif(reason, '') as reason
  from risk_change;

-- What a portfolio holds against what its fills add up to: every difference is 0.
create view books as
select p.portfolio, p.cash - (p.initial - coalesce(f.cost, 0) - coalesce(f.fee, 0)) as cash_difference,
       coalesce(d.difference, 0) as position_difference
  from portfolios p
  left join (select portfolio, sum(cost) as cost, sum(fee) as fee from trading_fill group by 1) f
    on f.portfolio = p.portfolio
  left join (select h.portfolio, sum(abs(h.quantity - coalesce(f.quantity, 0))) as difference
               from positions h
               left join (select portfolio, symbol,
                                 sum(case side when 'buy' then quantity else -quantity end) as quantity
                            from trading_fill group by 1, 2) f
                 on f.portfolio = h.portfolio and f.symbol = h.symbol
              group by 1) d
    on d.portfolio = p.portfolio;
)sql";

constexpr market::sql_script scripts[] = {{"trading/0001_tables", tables},
                                          {"trading/0002_views", views}};

}  // namespace

std::span<const market::sql_script> trading_migrations() {
  return scripts;
}

}  // namespace troupe::trading
