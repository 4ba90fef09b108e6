#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tests/simulation/scheduler.hpp"
#include "tests/support/durable.hpp"

namespace troupe::simulation {

/// What must be true of the accounts at every moment, whatever fails. Looks only at what is durable
/// and at what leaves the cluster. Throws `broken`.
///
/// - Money: the sum of all balances and of what is in channels changes with no commit. (A bonus is
///   the one exception: `bonus` comes in with it.)
/// - Channels: what a shard applies is the next of what the source has committed; what a source
///   gives up has been applied.
/// - Answers: what a client is told with a request id is in the store and stays there; what a read
///   tells was true at some moment between its question and its answer.
/// - Records: a reader who takes only the next `seq` gets every committed record, and nothing else.
class invariants {
 public:
  static constexpr std::int64_t opening_balance = 10'000;
  static constexpr std::int64_t bonus = 7;

  invariants(scheduler& time, std::vector<test::durable>& shards) : time_(time), shards_(shards) {}

  void open_account(shard_id shard, const entity_id& id);

  /// A batch whose epoch held is about to be applied.
  void before_commit(const store::commit_batch& batch);
  /// A record is at the end of a shard's partition of an egress topic.
  void record_out(shard_id shard, const store::outbox_row& row);

  void answered(shard_id shard, const std::string& request, const std::string& answer);
  void read(const entity_id& id, std::int64_t balance, steady_time asked) const;
  /// The amount of a credit is unique: its place in its channel, 0 if it did not come by one.
  struct place {
    shard_id source;
    sequence seq;
  };
  place channel_of(std::int64_t amount) const;

  /// Once everything has come to rest: balances and bonuses are what the answers say they must be.
  struct account {
    std::int64_t balance = 0;
    std::int64_t bonuses = 0;
    bool operator==(const account&) const = default;
  };
  void at_rest(const std::map<entity_id, account>& expected) const;

 private:
  std::int64_t taken_from_channels(const store::commit_batch& batch) const;
  void check_given_up(const store::commit_batch& batch) const;

  scheduler& time_;
  std::vector<test::durable>& shards_;
  std::map<entity_id, account> accounts_;
  struct moment {
    steady_time since;
    std::int64_t balance;
  };
  std::map<entity_id, std::vector<moment>> history_;
  std::map<std::int64_t, place> places_;  // By amount.
  std::map<std::string, std::pair<shard_id, std::string>> given_;
};

}  // namespace troupe::simulation
