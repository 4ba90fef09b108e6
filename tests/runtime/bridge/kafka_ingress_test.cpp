#include "runtime/bridge/kafka_ingress.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <deque>
#include <mutex>
#include <random>

#include "tests/runtime/bridge/kafka_fixture.hpp"

using namespace troupe;
using namespace troupe::bridge;
using namespace std::chrono_literals;

namespace {

using cause = unreadable_log::cause;

/// Takes batches as a shard host does.
struct host {
  std::mutex mutex;
  std::vector<record_batch_ptr> kept;  // While `keep`.
  std::vector<std::string> payloads;
  std::vector<std::int64_t> offsets;
  std::vector<unreadable_log> told;
  std::atomic<std::int64_t> log_end = 0;
  std::atomic<std::int64_t> told_end = 0;    // The same without records.
  std::atomic<std::int64_t> last_end = 0;    // Whichever came last.
  std::atomic<std::int64_t> assignment = 0;  // Of the last batch.
  std::atomic<bool> keep = false;

  ingress_port::receiver receiver() {
    return {[this](record_batch_ptr b) {
              const std::lock_guard lock(mutex);
              for (const auto& r : b->records) {
                payloads.emplace_back(r.payload);
                offsets.push_back(r.offset);
              }
              log_end = last_end = b->log_end;
              assignment = b->assignment;
              if (keep) kept.push_back(std::move(b));
            },
            [this](const unreadable_log& log) {
              const std::lock_guard lock(mutex);
              told.push_back(log);
            },
            [this](std::uint32_t, position end) { told_end = last_end = end.value(); }};
  }
  std::vector<unreadable_log> unreadable() {
    const std::lock_guard lock(mutex);
    return told;
  }
  std::size_t count() {
    const std::lock_guard lock(mutex);
    return payloads.size();
  }
  void drop(bool keep_later = false) {
    const std::lock_guard lock(mutex);
    kept.clear();
    keep = keep_later;
  }
  void forget() {
    const std::lock_guard lock(mutex);
    kept.clear();
    payloads.clear();
    offsets.clear();
  }
  /// Exactly the records from `from` to before `to`, in order, once each.
  bool has(int from, int to) {
    const std::lock_guard lock(mutex);
    if (payloads.size() != static_cast<std::size_t>(to - from)) return false;
    for (int i = from; i < to; ++i) {
      const auto at = static_cast<std::size_t>(i - from);
      if (payloads[at] != std::to_string(i) || offsets[at] != i) return false;
    }
    return true;
  }
};

ingress_options options_for(std::vector<std::string> topics) {
  ingress_options o;
  o.kafka = testing::kafka();
  o.topics = std::move(topics);
  return o;
}

std::vector<ingress_port::start> starts(std::int64_t from, std::uint32_t topics = 1) {
  std::vector<ingress_port::start> all;
  for (std::uint32_t t = 0; t < topics; ++t) all.push_back({t, position(from)});
  return all;
}

}  // namespace

TEST_CASE("each shard gets its partition from its position, tagged, with the log's end") {
  const auto topic = testing::make_topic("ingress", 3);
  for (std::uint32_t p = 0; p < 3; ++p) testing::fill(topic, p, 0, 1'000);
  host hosts[3];
  kafka_ingress ingress(options_for({topic}));
  for (std::uint32_t p = 0; p < 3; ++p)
    ingress.assign(shard_id(p), 70 + p, starts(100 * p), hosts[p].receiver());
  for (std::uint32_t p = 0; p < 3; ++p) {
    CAPTURE(p);
    REQUIRE(testing::wait_until([&] { return hosts[p].count() >= 1'000 - 100 * p; }));
    CHECK(hosts[p].has(static_cast<int>(100 * p), 1'000));
    CHECK(hosts[p].log_end == 1'000);
    CHECK(hosts[p].assignment == 70 + p);
  }
  testing::fill(topic, 1, 1'000, 1'010);
  REQUIRE(testing::wait_until([&] { return hosts[1].count() >= 910; }));
  CHECK(hosts[1].has(100, 1'010));
  REQUIRE(testing::wait_until([&] { return ingress.inflight() == 0; }));
}

TEST_CASE("topics of a shard are told apart, and one of them can be moved alone") {
  const auto a = testing::make_topic("ingress-a", 1), b = testing::make_topic("ingress-b", 1);
  testing::fill(a, 0, 0, 50);
  testing::fill(b, 0, 0, 70);
  std::mutex mutex;
  std::vector<std::int64_t> next[2];
  kafka_ingress ingress(options_for({a, b}));
  const ingress_port::receiver to{[&](record_batch_ptr batch) {
                                    const std::lock_guard lock(mutex);
                                    for (const auto& r : batch->records)
                                      next[batch->topic].push_back(r.offset);
                                  },
                                  [](auto...) {}, [](auto...) {}};
  const auto counts = [&](std::size_t first, std::size_t second) {
    return [&, first, second] {
      const std::lock_guard lock(mutex);
      return next[0].size() == first && next[1].size() == second;
    };
  };
  ingress.assign(shard_id(0), 1, starts(0, 2), to);
  REQUIRE(testing::wait_until(counts(50, 70)));
  ingress.assign(shard_id(0), 1, {{0, position(40)}}, to);
  REQUIRE(testing::wait_until(counts(60, 70)));
  CHECK(next[0][50] == 40);
  // Another assignment replaces everything: topic 1 is not read any more.
  ingress.assign(shard_id(0), 2, {{0, position(0)}}, to);
  REQUIRE(testing::wait_until(counts(110, 70)));
  testing::fill(b, 0, 70, 80);
  testing::fill(a, 0, 50, 60);
  REQUIRE(testing::wait_until(counts(120, 70)));
}

TEST_CASE("views stay valid as long as their batch is held, even beyond the source") {
  const auto topic = testing::make_topic("ingress-held", 1);
  testing::fill(topic, 0, 0, 5'000);
  host h;
  h.keep = true;
  {
    kafka_ingress ingress(options_for({topic}));
    ingress.assign(shard_id(0), 1, starts(0), h.receiver());
    REQUIRE(testing::wait_until([&] { return h.count() == 5'000; }));
  }
  int i = 0;
  for (const auto& batch : h.kept)
    for (const auto& r : batch->records) REQUIRE(r.payload == std::to_string(i++));
  CHECK(i == 5'000);
  h.drop();
}

TEST_CASE("a shard that is full waits, and goes on without a gap; others do not wait for it") {
  const auto topic = testing::make_topic("ingress-full", 2);
  testing::fill(topic, 0, 0, 50'000);
  testing::fill(topic, 1, 0, 20'000);
  auto options = options_for({topic});
  options.shard_inflight_max = 2'000;
  options.poll_records_max = 500;
  host slow, fast;
  slow.keep = true;
  kafka_ingress ingress(options);
  ingress.assign(shard_id(0), 1, starts(0), slow.receiver());
  REQUIRE(testing::wait_until([&] { return slow.count() == 2'000; }));
  ingress.assign(shard_id(1), 1, starts(0), fast.receiver());
  REQUIRE(testing::wait_until([&] { return fast.count() == 20'000; }));
  CHECK(slow.count() == 2'000);
  // The receiver counts a batch before it lets it go.
  CHECK(testing::wait_until([&] { return ingress.inflight() == 2'000; }));
  for (int i = 0; i < 10; ++i) {
    const auto before = slow.count();  // Before the drop: what it lets go on may come at once.
    slow.drop(i < 9);
    REQUIRE(testing::wait_until([&] { return slow.count() > before; }));
  }
  slow.drop();
  REQUIRE(testing::wait_until([&] { return slow.count() >= 50'000; }));
  CHECK(slow.has(0, 50'000));
  CHECK(fast.has(0, 20'000));
}

TEST_CASE("all shards together are bounded, by records and by bytes") {
  const auto topic = testing::make_topic("ingress-total", 8);
  for (std::uint32_t p = 0; p < 8; ++p) testing::fill(topic, p, 0, 5'000);
  for (const bool by_bytes : {false, true}) {
    CAPTURE(by_bytes);
    auto options = options_for({topic});
    options.poll_records_max = 100;
    if (by_bytes)
      options.inflight_bytes_max = 12'000;  // Payloads of one to four bytes.
    else
      options.inflight_max = 4'000;
    host hosts[8];
    kafka_ingress ingress(options);
    for (std::uint32_t p = 0; p < 8; ++p) {
      hosts[p].keep = true;
      ingress.assign(shard_id(p), 1, starts(0), hosts[p].receiver());
    }
    const auto sum = [&] {
      std::size_t n = 0;
      for (auto& h : hosts) n += h.count();
      return n;
    };
    const std::size_t least = by_bytes ? 3'000 : 4'000;
    REQUIRE(testing::wait_until([&] { return sum() > least; }));
    CHECK(sum() <= (by_bytes ? 12'100 : 4'100));
    CHECK(ingress.inflight() == static_cast<std::int64_t>(sum()));
    for (auto& h : hosts) h.drop();
    REQUIRE(testing::wait_until([&] { return sum() == 40'000; }));
    for (auto& h : hosts) CHECK(h.has(0, 5'000));
  }
}

TEST_CASE("the host can hold its shard back") {
  const auto topic = testing::make_topic("ingress-hold", 1);
  testing::fill(topic, 0, 0, 10);
  host h;
  kafka_ingress ingress(options_for({topic}));
  ingress.assign(shard_id(0), 1, starts(0), h.receiver());
  REQUIRE(testing::wait_until([&] { return h.count() == 10; }));
  ingress.pause(shard_id(0));
  // Another shard's records prove that polling went on meanwhile.
  const auto other = testing::make_topic("ingress-other", 1);
  testing::fill(topic, 0, 10, 20);
  host witness;
  kafka_ingress second(options_for({topic}));
  second.assign(shard_id(0), 1, starts(0), witness.receiver());
  REQUIRE(testing::wait_until([&] { return witness.count() == 20; }));
  CHECK(h.count() == 10);
  ingress.resume(shard_id(0));
  REQUIRE(testing::wait_until([&] { return h.count() == 20; }));
  CHECK(h.has(0, 20));
}

TEST_CASE("a pause does not outlive its assignment") {
  const auto topic = testing::make_topic("ingress-pause", 1);
  testing::fill(topic, 0, 0, 10);
  host h;
  kafka_ingress ingress(options_for({topic}));
  ingress.assign(shard_id(0), 1, starts(0), h.receiver());
  ingress.pause(shard_id(0));
  ingress.assign(shard_id(0), 2, starts(0), h.receiver());
  REQUIRE(testing::wait_until([&] { return h.assignment == 2 && h.count() >= 10; }));
}

TEST_CASE(
    "a position that the log has lost is reported with what there is, and the host may go on from "
    "there") {
  const auto topic = testing::make_topic("ingress-lost", 2);
  testing::fill(topic, 0, 0, 100);
  testing::fill(topic, 1, 0, 100);
  testing::truncate(topic, 0, 60);
  host h, untouched;
  kafka_ingress ingress(options_for({topic}));
  ingress.assign(shard_id(1), 1, starts(0), untouched.receiver());
  ingress.assign(shard_id(0), 1, starts(10), h.receiver());
  REQUIRE(testing::wait_until([&] { return h.unreadable().size() == 1; }));
  CHECK(h.unreadable()[0].why == cause::truncated);
  CHECK(h.unreadable()[0].topic == 0);
  CHECK(h.unreadable()[0].wanted == position(10));
  CHECK(h.unreadable()[0].begin == position(60));
  CHECK(h.count() == 0);
  ingress.assign(shard_id(0), 1, starts(60), h.receiver());
  REQUIRE(testing::wait_until([&] { return h.count() == 40; }));
  CHECK(h.has(60, 100));
  REQUIRE(testing::wait_until([&] { return untouched.count() == 100; }));
  CHECK(untouched.unreadable().empty());
}

TEST_CASE(
    "a position behind the log's end is told as such, with the end; so is a topic made anew") {
  const auto topic = testing::make_topic("ingress-ended", 1);
  testing::fill(topic, 0, 0, 100);
  testing::truncate(topic, 0, 60);
  host h;
  kafka_ingress ingress(options_for({topic}));
  ingress.assign(shard_id(0), 1, starts(500), h.receiver());
  REQUIRE(testing::wait_until([&] { return h.unreadable().size() == 1; }));
  CHECK(h.unreadable()[0].why == cause::ended);
  CHECK(h.unreadable()[0].wanted == position(500));
  CHECK(h.unreadable()[0].begin == position(60));
  CHECK(h.unreadable()[0].end == position(100));

  ingress.assign(shard_id(0), 2, starts(60), h.receiver());
  REQUIRE(testing::wait_until([&] { return h.count() == 40; }));
  testing::make_anew(topic, 1);
  testing::fill(topic, 0, 0, 7);
  REQUIRE(testing::wait_until([&] { return h.unreadable().size() == 2; }));
  CHECK(h.unreadable()[1].why == cause::ended);
  CHECK(h.unreadable()[1].wanted == position(100));
  CHECK(h.unreadable()[1].end <= position(7));
  CHECK(h.count() == 40);
}

TEST_CASE("an ingress whose topic was deleted ends at once") {
  constexpr std::uint32_t shards = 8;
  const auto topic = testing::make_topic("ingress-deleted", shards);
  for (std::uint32_t p = 0; p < shards; ++p) testing::fill(topic, p, 0, 5);
  std::vector<host> hosts(shards);
  auto ingress = std::make_unique<kafka_ingress>(options_for({topic}));
  for (std::uint32_t p = 0; p < shards; ++p)
    ingress->assign(shard_id(p), 1, starts(0), hosts[p].receiver());
  for (auto& h : hosts) REQUIRE(testing::wait_until([&] { return h.count() == 5; }));
  testing::delete_topic(topic);
  for (auto& h : hosts)
    REQUIRE(testing::wait_until([&] { return h.unreadable().size() == 1; }, 30s));
  const auto began = std::chrono::steady_clock::now();
  ingress.reset();
  CHECK(std::chrono::steady_clock::now() - began < 5s);
}

TEST_CASE("a partition or topic that does not exist is reported as such") {
  const auto topic = testing::make_topic("ingress-unknown", 1);
  host no_partition, no_topic;
  kafka_ingress ingress(options_for({topic, testing::unique_name("ingress-nowhere")}));
  ingress.assign(shard_id(5), 1, {{0, position(3)}}, no_partition.receiver());
  ingress.assign(shard_id(0), 1, {{1, position(4)}}, no_topic.receiver());
  REQUIRE(testing::wait_until(
      [&] { return no_partition.unreadable().size() + no_topic.unreadable().size() == 2; }));
  CHECK(no_partition.unreadable()[0].why == cause::unknown);
  CHECK(no_partition.unreadable()[0].wanted == position(3));
  CHECK(no_topic.unreadable()[0].why == cause::unknown);
  CHECK(no_topic.unreadable()[0].topic == 1);
  CHECK(no_topic.unreadable()[0].wanted == position(4));
}

TEST_CASE("how far a log goes is told while nothing of it is handed over") {
  const auto topic = testing::make_topic("ingress-grown", 2);
  testing::fill(topic, 0, 0, 10);
  host h, nobody;
  kafka_ingress ingress(options_for({topic, testing::unique_name("ingress-nowhere")}));
  // What does not exist spoils nothing.
  ingress.assign(shard_id(1), 1, {{1, position(0)}}, nobody.receiver());
  ingress.assign(shard_id(7), 1, starts(0), nobody.receiver());
  ingress.assign(shard_id(0), 1, starts(0), h.receiver());
  REQUIRE(testing::wait_until([&] { return h.count() == 10; }));
  ingress.pause(shard_id(0));
  testing::fill(topic, 0, 10, 25);
  REQUIRE(testing::wait_until([&] { return h.told_end == 25; }));
  CHECK(h.count() == 10);
  ingress.resume(shard_id(0));
  REQUIRE(testing::wait_until([&] { return h.count() == 25; }));
  CHECK(h.log_end == 25);
}

TEST_CASE("what is no record, such as the marks of transactions, is nothing that waits") {
  const auto topic = testing::make_topic("ingress-marks", 1);
  host h;
  kafka_ingress ingress(options_for({topic}));
  ingress.assign(shard_id(0), 1, starts(0), h.receiver());
  testing::fill_in_transaction(topic, 0, 0, 5);  // Its mark is at 5.
  REQUIRE(testing::wait_until([&] { return h.count() == 5 && h.last_end == 5; }));
  testing::fill(topic, 0, 6, 7);
  REQUIRE(testing::wait_until([&] { return h.count() == 6 && h.last_end == 7; }));
}

TEST_CASE("a partition that the client does not take is tried again until it does") {
  const auto topic = testing::make_topic("ingress-again", 1);
  testing::fill(topic, 0, 0, 20);
  host first, second;
  kafka_ingress ingress(options_for({topic, topic}));  // It takes no partition twice.
  ingress.assign(shard_id(0), 1, {{0, position(10)}}, first.receiver());
  REQUIRE(testing::wait_until([&] { return first.count() == 10; }));
  ingress.assign(shard_id(0), 1, {{1, position(0)}}, second.receiver());
  REQUIRE(testing::wait_until([&] { return second.told_end == 20; }));  // What waits is known.
  CHECK(second.count() == 0);
  ingress.assign(shard_id(0), 1, {{0, position(500)}}, first.receiver());
  REQUIRE(testing::wait_until([&] { return first.unreadable().size() == 1; }));
  REQUIRE(testing::wait_until([&] { return second.count() == 20; }, 10s));
  CHECK(second.has(0, 20));
}

TEST_CASE("shards come and go at any pace; each assignment starts exactly at its position") {
  constexpr std::uint32_t shards = 64;
  const auto topic = testing::make_topic("ingress-churn", shards);
  constexpr int records = 2'000;
  for (std::uint32_t p = 0; p < shards; ++p) testing::fill(topic, p, 0, records);
  struct expectation {
    std::mutex mutex;
    std::atomic<std::int64_t> assignment = 0, next = 0;
    bool broken = false;
    std::int64_t reached = 0;
  };
  std::vector<expectation> expected(shards);
  kafka_ingress ingress(options_for({topic}));
  std::mt19937 random(3);
  const auto to = [&](std::uint32_t p) {
    return ingress_port::receiver{
        [&e = expected[p]](record_batch_ptr b) {
          const std::lock_guard lock(e.mutex);
          if (b->assignment != e.assignment) return;
          for (const auto& r : b->records) {
            if (r.offset != e.next || r.payload != std::to_string(r.offset)) e.broken = true;
            e.next = r.offset + 1;
          }
          e.reached = e.next;
        },
        [](auto...) {}, [](auto...) {}};
  };
  const auto assign = [&](std::uint32_t p, std::int64_t assignment, std::int64_t from) {
    auto& e = expected[p];
    {
      const std::lock_guard lock(e.mutex);
      e.assignment = assignment;
      e.next = e.reached = from;
    }
    ingress.assign(shard_id(p), assignment, starts(from), to(p));
  };
  for (std::int64_t round = 1; round <= 2'000; ++round) {
    const auto p = static_cast<std::uint32_t>(random() % shards);
    switch (random() % 4) {
      case 0:
        ingress.unassign(shard_id(p));
        [[fallthrough]];
      case 1:
        assign(p, round, static_cast<std::int64_t>(random() % records));
        break;
      case 2:
        ingress.pause(shard_id(p));
        break;
      case 3:
        ingress.resume(shard_id(p));
        break;
    }
    if (round % 50 == 0)
      REQUIRE(testing::wait_until([&] {
        std::int64_t moved = 0;
        for (auto& e : expected) {
          const std::lock_guard lock(e.mutex);
          moved += e.reached;
        }
        return moved > 0;
      }));
  }
  for (std::uint32_t p = 0; p < shards; ++p) assign(p, 10'000, static_cast<std::int64_t>(p));
  CHECK(testing::wait_until([&] {
    return std::ranges::all_of(expected, [](auto& e) {
      const std::lock_guard lock(e.mutex);
      return e.reached == records;
    });
  }));
  for (std::uint32_t p = 0; p < shards; ++p) {
    CAPTURE(p);
    CHECK_FALSE(expected[p].broken);
    CHECK(expected[p].reached == records);
  }
}
