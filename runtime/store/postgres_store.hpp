#pragma once

#include <memory>
#include <vector>

#include "runtime/store/shard_store.hpp"

namespace troupe::store {

class store_worker;

struct postgres_store_options {
  /// libpq connection string. Its `options` are replaced by the store's own.
  std::string dsn;
  /// Node and incarnation on whose behalf this store works; shown in pg_stat_activity.
  std::string node = "none";
  incarnation life;
  /// Store threads that commit, each with one connection; shard s is served by thread s % threads.
  /// More let more commits flush together; beyond four on two cores they only wait for each other.
  /// Half as many again read states and answers, and one takes shards: what comes to life, on
  /// demand or after a fail-over, keeps no commit waiting.
  std::uint32_t threads = 4;
  /// Longest time a statement may take in the server, and so the longest that a takeover waits for
  /// an old owner.
  std::chrono::milliseconds statement_timeout{10'000};
  /// Connection lost when sent data stays unacknowledged for so long.
  std::chrono::milliseconds tcp_user_timeout{3'000};
  /// How long to wait for a connection before trying again.
  std::chrono::seconds connect_timeout{3};
  /// Pauses between attempts to reconnect: doubled from the first to the longest.
  std::chrono::milliseconds reconnect_first{20};
  std::chrono::milliseconds reconnect_longest{500};
};

/// What a store has done since it was made.
struct store_statistics {
  std::uint64_t committed = 0;
  std::uint64_t fenced = 0;
  std::uint64_t outcome_unknown = 0;
  std::uint64_t unavailable = 0;
  std::uint64_t rejected = 0;
  std::size_t queued = 0;  // Jobs that wait for a store thread now.
};

/// The shard store on PostgreSQL. A commit is one statement, outside of any transaction block: one
/// round trip, and no lock is ever held while the server waits for us. Its queues are bounded by
/// its callers: each shard has a few calls under way at most.
class postgres_store final : public shard_store {
 public:
  /// `tables`: every result table that batches may hold. Does not connect yet.
  postgres_store(const postgres_store_options& options, std::vector<const table_def*> tables);
  /// Calls not yet begun end as `unavailable`; the call under way is waited for, two seconds at
  /// most.
  ~postgres_store() override;

  /// Prepares the statements of all parts once, so that a result table's bad SQL shows at start-up.
  /// Returns one text a violation, naming the table; an unreachable database is one too. Blocks.
  std::vector<std::string> verify();

  void take(shard_id shard, incarnation owner, take_done done) override;
  void release(shard_id shard, epoch era, std::function<void()> done) override;
  void commit(commit_batch batch, commit_done done) override;
  void load(shard_id shard, std::vector<entity_id> ids, load_done done) override;
  void find_answer(shard_id shard, std::string request, answer_done done) override;

  store_statistics statistics() const;

 private:
  struct lane;
  struct taker;
  struct counters;
  lane& lane_of(shard_id shard);
  store_worker& reader_of(shard_id shard);

  std::vector<const table_def*> tables_;
  std::unique_ptr<counters> counters_;
  std::vector<std::unique_ptr<lane>> lanes_;
  std::vector<std::unique_ptr<store_worker>> readers_;
  std::unique_ptr<taker> taker_;
};

}  // namespace troupe::store
