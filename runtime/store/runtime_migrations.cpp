#include <array>

#include "runtime/store/migration.hpp"

namespace troupe::store {
namespace {

constexpr std::string_view tables = R"sql(
create table cluster_setting(
  name  text primary key,
  value text not null
);

create sequence incarnation_number;

create table node(
  id          text primary key,
  incarnation bigint not null unique,
  address     text not null,
  version     text not null,
  state       text not null check (state in ('live', 'left', 'dead')),
  alive_until timestamptz not null,
  started_at  timestamptz not null default now()
) with (fillfactor = 50);

create table shard(
  id          integer primary key,
  owner       text,
  incarnation bigint,
  epoch       bigint not null default 0
) with (fillfactor = 50);

-- position, entity, channel and outbox_sequence are rewritten with every commit. Free room on each page keeps such an
-- update on its page (HOT): no index is touched, and the next visitor of the page prunes what is dead.
create table position(
  shard integer not null,
  topic text not null,
  next  bigint not null,
  primary key (shard, topic)
) with (fillfactor = 20);

create table entity(
  shard    integer not null,
  kind     text not null,
  key      text not null,
  schema   integer not null,
  state    json not null,
  saved_at timestamptz not null default now(),
  primary key (shard, kind, key)
) with (fillfactor = 50);

create table outbox(
  shard   integer not null,
  target  text not null,
  seq     bigint not null,
  key     text not null,
  payload json not null,
  primary key (shard, target, seq)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000,
        autovacuum_vacuum_insert_threshold = 100000);

create table outbox_sequence(
  shard  integer not null,
  target text not null,
  last   bigint not null,
  primary key (shard, target)
) with (fillfactor = 20);

create table channel(
  shard   integer not null,
  source  integer not null,
  applied bigint not null,
  primary key (shard, source)
) with (fillfactor = 20);

create table timer(
  shard   integer not null,
  kind    text not null,
  key     text not null,
  name    text not null,
  due     timestamptz not null,
  message json not null,
  primary key (shard, kind, key, name)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000);

create table answer(
  shard   integer not null,
  request text not null,
  answer  json not null,
  expires timestamptz not null,
  primary key (shard, request)
);
create index answer_expires on answer(shard, expires);

create table quarantine(
  id         bigint generated always as identity primary key,
  shard      integer not null,
  kind       text not null,
  key        text not null,
  source     text not null,
  place      bigint not null,
  record_key text not null,
  input      bytea not null,
  reason     text not null,
  state      text not null default 'held' check (state in ('held', 'retried', 'purged')),
  at         timestamptz not null default now()
);
)sql";

// States are kept compressed inside their row: TOAST would leave the old chunks of every update to
// the vacuum, and the default compression is slow. One run of 15 s each on a busy machine, 2,000
// states of 2 to 10 KB updated in tens; updates/s, and table growth for each update:
//   TOAST, pglz  2,840  2.1 KB      in the row, pglz  3,150  1.1 KB
//   TOAST, lz4   3,860  3.3 KB      in the row, lz4   4,290  1.8 KB, 71 % of them HOT
// States that compress to about 2.4 KB were updated in place (HOT) 99.8 times in a hundred.
// A PostgreSQL built without lz4 keeps its own compression.
constexpr std::string_view storage = R"sql(
alter table entity alter column state set storage main;
do $$ begin
  alter table entity alter column state set compression lz4;
exception when feature_not_supported then null;
end $$;
)sql";

constexpr std::string_view cluster = R"sql(
-- At most one row.
create table leader(
  single      boolean primary key default true check (single),
  incarnation bigint not null,
  until       timestamptz not null,
  version     bigint not null  -- Of decisions.
) with (fillfactor = 20);

alter table node add column draining boolean not null default false;
alter table shard add column assigned text;
)sql";

// Entities that follow others must live without being asked: they are looked for whenever a shard
// is taken.
constexpr std::string_view feeds = R"sql(
alter table entity add column follows boolean not null default false;
create index entity_follows on entity(shard) where follows;
)sql";

// What is large and never changes, by a name made from its content; in parts, so that no statement
// carries all of it. It does not compress: external storage saves the attempt.
constexpr std::string_view blobs = R"sql(
create table blob(
  id        text primary key,
  bytes     bigint not null,
  stored_at timestamptz not null default now()
);
create table blob_part(
  id     text not null references blob on delete cascade,
  number integer not null,
  bytes  bytea not null,
  primary key (id, number)
);
alter table blob_part alter column bytes set storage external;
)sql";

constexpr std::array list{
    migration{"runtime/0001_tables", tables}, migration{"runtime/0002_state_storage", storage},
    migration{"runtime/0003_cluster", cluster}, migration{"runtime/0004_feeds", feeds},
    migration{"runtime/0005_blobs", blobs}};

}  // namespace

std::span<const migration> runtime_migrations() {
  return list;
}

}  // namespace troupe::store
