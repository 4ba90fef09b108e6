#include <thread>

#include "tests/runtime/store/store_fixture.hpp"
#include "tests/support/services.hpp"

namespace troupe::store {
namespace {

// Counts up in one shard, as a shard host would: whatever is not acknowledged is settled by taking
// the shard again.
class counting_owner {
 public:
  counting_owner(const std::string& dsn, incarnation life, shard_id shard)
      : shard_(shard), store_(dsn, "n1", life), era_(store_.take_epoch(shard)) {}

  void run(const std::atomic<bool>& stopping) {
    while (!stopping) {
      const auto outcome = store_.commit(next());
      if (outcome == commit_outcome::committed)
        acknowledged_ = ++value_;
      else
        settle();
    }
  }
  std::int64_t acknowledged() const { return acknowledged_; }
  int settled() const { return settled_; }
  int violations() const { return violations_; }

 private:
  commit_batch next() {
    auto b = entity_batch(shard_, era_, "counter", std::to_string(value_ + 1));
    b.outbox = {{"topic:x", sequence(value_ + 1), "", "{}"}};
    return b;
  }
  void settle() {
    std::optional<taken_shard> taken;
    std::optional<std::vector<entity_row>> rows;
    while (!taken) taken = store_.take(shard_).first;
    while (!rows) rows = store_.load(shard_, {{"thing", "counter"}});
    era_ = taken->era;
    const auto found = rows->empty() ? 0 : std::stoll(rows->front().state);
    if (found != value_ && found != value_ + 1) ++violations_;
    acknowledged_ = value_ = found;  // A commit in doubt is known by now.
    ++settled_;
  }

  const shard_id shard_;
  waiting_store store_;
  epoch era_;
  std::int64_t value_ = 0;
  std::atomic<std::int64_t> acknowledged_ = 0;
  std::atomic<int> settled_ = 0;
  int violations_ = 0;
};

}  // namespace

TEST_CASE(
    "PostgreSQL killed and restarted under load: nothing acknowledged is lost, nothing is written "
    "twice") {
  const cluster_database c;
  node_store nodes({c.db.dsn()});
  const auto life = nodes.join("n1", "a:1", "v", 10min);
  std::vector<std::unique_ptr<counting_owner>> owners;
  for (std::uint32_t s = 0; s < 4; ++s)
    owners.push_back(std::make_unique<counting_owner>(c.db.dsn(), life, shard_id(s)));
  std::atomic<bool> stopping = false;
  std::vector<std::jthread> threads;
  for (auto& o : owners) threads.emplace_back([&] { o->run(stopping); });

  for (int round = 1; round <= 3; ++round) {
    for (auto& o : owners) {
      const auto before = o->acknowledged();
      wait_until([&] { return o->acknowledged() > before + 50; });
    }
    test::services("kill postgres");
    test::services("start postgres");
    for (auto& o : owners) wait_until([&] { return o->settled() >= round; });
  }
  stopping = true;
  threads.clear();

  for (std::uint32_t s = 0; s < 4; ++s) {
    const auto& o = *owners[s];
    const auto where = " where shard = " + std::to_string(s);
    CHECK(o.violations() == 0);
    const auto stored = std::stoll(c.db.run("select state::text from entity" + where));
    CHECK(stored == o.acknowledged());
    CHECK(c.db.run("select count(*) || ' ' || max(seq) from outbox" + where) ==
          std::to_string(stored) + ' ' + std::to_string(stored));
    CHECK(c.db.run("select last from outbox_sequence" + where) == std::to_string(stored));
  }
}

}  // namespace troupe::store
