#include "runtime/store/postgres_store.hpp"

#include <atomic>
#include <future>
#include <map>
#include <mutex>

#include "runtime/base/log.hpp"
#include "runtime/store/array_encoder.hpp"
#include "runtime/store/commit_statement.hpp"
#include "runtime/store/shard_reader.hpp"
#include "runtime/store/store_worker.hpp"

namespace troupe::store {
namespace {

connection_options connection_of(const postgres_store_options& o) {
  connection_options c;
  c.dsn = o.dsn;
  c.application_name = application_name_of(o.node, o.life);
  c.statement_timeout = o.statement_timeout;
  c.tcp_user_timeout = o.tcp_user_timeout;
  c.connect_timeout = o.connect_timeout;
  return c;
}

reconnect_options reconnect_of(const postgres_store_options& o) {
  return {o.reconnect_first, o.reconnect_longest};
}

commit_outcome outcome_of(statement_result r) {
  switch (r) {
    case statement_result::done:
      return commit_outcome::committed;
    case statement_result::unavailable:
      return commit_outcome::unavailable;
    case statement_result::outcome_unknown:
      return commit_outcome::outcome_unknown;
    case statement_result::rejected:
      return commit_outcome::rejected;
  }
  return commit_outcome::outcome_unknown;
}

commit_outcome write(pg_connection& db, commit_statement& statements, const commit_batch& batch) {
  const auto encoded = statements.encode(batch);
  const auto& text = statements.statement(encoded.used);
  pqxx::result fence;
  const auto result = db.execute(text.name, text.sql, encoded.parameters, fence);
  if (result != statement_result::done) return outcome_of(result);
  return fence[0][0].as<int>() == 1 ? commit_outcome::committed : commit_outcome::fenced;
}

// A batch that can't even be encoded is a defect of its maker.
commit_outcome write_guarded(pg_connection& db, commit_statement& statements,
                             const commit_batch& batch) {
  try {
    return write(db, statements, batch);
  } catch (const std::exception& e) {
    log::error("store", "bad_batch", {{"shard", batch.shard}, {"reason", e.what()}});
    return commit_outcome::rejected;
  }
}

}  // namespace

struct postgres_store::lane {
  lane(const postgres_store_options& o, const std::vector<const table_def*>& tables)
      : statements(tables), worker(connection_of(o), reconnect_of(o)) {}

  commit_statement statements;  // The store thread's alone.
  store_worker worker;          // Last: its jobs use the others.
};

/// Takes shards, those together that came together: what a node inherits costs no more statements
/// than one shard does, and no lane waits for it.
struct postgres_store::taker {
  explicit taker(const postgres_store_options& o) : worker(connection_of(o), reconnect_of(o)) {}

  struct request {
    shard_id shard;
    incarnation owner;
    take_done done;
  };
  using group = std::map<shard_id, take_done>;

  void post(request r) {
    {
      const std::lock_guard lock(mutex);
      waiting.push_back(std::move(r));
    }
    worker.post([this](pg_connection* db) { take_some(db); });
  }
  /// Those of one owner, each shard once. There is a job for each request: what stays gets its
  /// turn.
  group next(incarnation& owner) {
    const std::lock_guard lock(mutex);
    group some;
    if (!waiting.empty()) owner = waiting.front().owner;
    std::vector<request> rest;
    for (auto& r : waiting)
      if (r.owner != owner || !some.try_emplace(r.shard, std::move(r.done)).second)
        rest.push_back(std::move(r));
    waiting.swap(rest);
    return some;
  }
  void take_some(pg_connection* db) {
    incarnation owner;
    const auto some = next(owner);
    if (some.empty()) return;
    std::vector<shard_id> shards;
    for (const auto& [shard, done] : some) shards.push_back(shard);
    const auto eras = db == nullptr ? std::nullopt : take_shards(*db, shards, owner);
    if (eras) std::erase_if(shards, [&](shard_id shard) { return !eras->contains(shard); });
    auto images = eras ? read_images(*db, shards) : std::nullopt;
    for (const auto& [shard, done] : some) {
      if (!images)
        done({}, commit_outcome::unavailable);
      else if (const auto era = eras->find(shard); era == eras->end())
        done({}, commit_outcome::fenced);
      else
        done(taken_shard{era->second, std::move(images->at(shard))}, commit_outcome::committed);
    }
  }

  std::mutex mutex;
  std::vector<request> waiting;
  store_worker worker;  // Last: its jobs use the others.
};

struct postgres_store::counters {
  std::array<std::atomic<std::uint64_t>, 5> commits{};

  auto& of(commit_outcome o) { return commits[static_cast<std::size_t>(o)]; }
};

postgres_store::postgres_store(const postgres_store_options& options,
                               std::vector<const table_def*> tables)
    : tables_(std::move(tables)),
      counters_(std::make_unique<counters>()),
      taker_(std::make_unique<taker>(options)) {
  for (std::uint32_t i = 0; i < std::max(1u, options.threads); ++i)
    lanes_.push_back(std::make_unique<lane>(options, tables_));
  for (std::uint32_t i = 0; i < (options.threads + 1) / 2 || i == 0; ++i)
    readers_.push_back(
        std::make_unique<store_worker>(connection_of(options), reconnect_of(options)));
}

postgres_store::~postgres_store() = default;

postgres_store::lane& postgres_store::lane_of(shard_id shard) {
  return *lanes_[shard.value() % lanes_.size()];
}

store_worker& postgres_store::reader_of(shard_id shard) {
  return *readers_[shard.value() % readers_.size()];
}

std::vector<std::string> postgres_store::verify() {
  std::promise<std::vector<std::string>> promise;
  auto found = promise.get_future();
  auto& first = *lanes_.front();
  first.worker.post([&](pg_connection* db) {
    std::vector<std::string> violations;
    const auto check = [&](std::string_view what, part_mask parts) {
      const auto& text = first.statements.statement(parts);
      if (db->prepare(text.name, text.sql) != statement_result::done)
        violations.push_back(std::string(what) + ": " + db->last_error());
    };
    if (db == nullptr) violations.emplace_back("the database is out of reach");
    if (db != nullptr) check("runtime tables", first.statements.runtime_parts());
    for (std::size_t i = 0; db != nullptr && i < tables_.size(); ++i)
      check("result table " + std::string(tables_[i]->name), first.statements.table_part(i));
    promise.set_value(std::move(violations));
  });
  return found.get();
}

void postgres_store::take(shard_id shard, incarnation owner, take_done done) {
  taker_->post({shard, owner, std::move(done)});
}

void postgres_store::release(shard_id shard, epoch era, std::function<void()> done) {
  lane_of(shard).worker.post([=, done = std::move(done)](pg_connection* db) {
    if (db != nullptr) release_shard(*db, shard, era);
    done();
  });
}

void postgres_store::commit(commit_batch batch, commit_done done) {
  auto& l = lane_of(batch.shard);
  auto shared = std::make_shared<const commit_batch>(std::move(batch));
  l.worker.post([this, &l, shared, done = std::move(done)](pg_connection* db) {
    const auto outcome =
        db == nullptr ? commit_outcome::unavailable : write_guarded(*db, l.statements, *shared);
    counters_->of(outcome).fetch_add(1, std::memory_order_relaxed);
    done(outcome);
  });
}

void postgres_store::load(shard_id shard, std::vector<entity_id> ids, load_done done) {
  reader_of(shard).post([shard, ids = std::move(ids), done = std::move(done)](pg_connection* db) {
    done(db == nullptr ? std::nullopt : read_entities(*db, shard, ids));
  });
}

void postgres_store::find_answer(shard_id shard, std::string request, answer_done done) {
  reader_of(shard).post(
      [shard, request = std::move(request), done = std::move(done)](pg_connection* db) {
        using unreachable = std::optional<std::optional<std::string>>;
        done(db == nullptr ? unreachable{} : read_answer(*db, shard, request));
      });
}

store_statistics postgres_store::statistics() const {
  store_statistics s;
  s.committed = counters_->of(commit_outcome::committed);
  s.fenced = counters_->of(commit_outcome::fenced);
  s.outcome_unknown = counters_->of(commit_outcome::outcome_unknown);
  s.unavailable = counters_->of(commit_outcome::unavailable);
  s.rejected = counters_->of(commit_outcome::rejected);
  for (const auto& l : lanes_) s.queued += l->worker.queued();
  for (const auto& r : readers_) s.queued += r->queued();
  s.queued += taker_->worker.queued();
  return s;
}

}  // namespace troupe::store
