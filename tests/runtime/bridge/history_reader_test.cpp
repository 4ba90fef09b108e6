#include <doctest/doctest.h>

#include <thread>

#include "runtime/bridge/history_reader.hpp"
#include "tests/runtime/bridge/kafka_fixture.hpp"

using namespace troupe;
using namespace troupe::bridge;
using namespace std::chrono_literals;
using outcome = history_batch::outcome;

namespace {

/// Reads [from, end) in batches; the payloads.
std::vector<std::string> read_to_end(history_reader& reader, const std::string& topic,
                                     std::uint32_t partition, position from,
                                     const history_limits& limits) {
  std::vector<std::string> all;
  for (;;) {
    const auto batch = reader.read(topic, partition, from, limits);
    REQUIRE(batch.what == outcome::read);
    CHECK(batch.records.size() <= limits.records_max);
    for (const auto& r : batch.records) all.emplace_back(r.payload);
    from = batch.next;
    if (from == batch.log_end) return all;
  }
}

}  // namespace

TEST_CASE("a partition is read from any offset, in bounded batches, without gaps") {
  const auto topic = testing::make_topic("history", 2);
  testing::fill(topic, 1, 0, 3'000);
  history_reader reader(testing::kafka());
  for (const int from : {0, 1, 1'500, 2'999, 3'000, 17}) {
    const auto all = read_to_end(reader, topic, 1, position(from), {256, 1 << 20, 1s});
    REQUIRE(all.size() == static_cast<std::size_t>(3'000 - from));
    for (std::size_t i = 0; i < all.size(); ++i)
      REQUIRE(all[i] == std::to_string(from + static_cast<int>(i)));
  }
  const auto range = reader.range(topic, 1, 10s);
  REQUIRE(range.has_value());
  CHECK(range->begin == position(0));
  CHECK(range->end == position(3'000));
}

TEST_CASE("bytes bound a batch too") {
  const auto topic = testing::make_topic("history-bytes", 1);
  testing::fill(topic, 0, 0, 5'000);
  history_reader reader(testing::kafka());
  const auto batch = reader.read(topic, 0, position(0), {100'000, 1'000, 10s});
  CHECK(batch.records.size() >= 100);
  CHECK(batch.records.size() < 2'000);
}

TEST_CASE("at the end it waits for one more record, at most as long as it is told") {
  const auto topic = testing::make_topic("history-end", 1);
  testing::fill(topic, 0, 0, 5);
  history_reader reader(testing::kafka());
  CHECK(reader.read(topic, 0, position(5), {10, 1'000, 10s}).records.empty());
  const auto nothing = reader.read(topic, 0, position(5), {10, 1'000, 30ms});
  CHECK(nothing.what == outcome::read);
  CHECK(nothing.next == position(5));
  std::thread writer([&] { testing::fill(topic, 0, 5, 6); });
  const auto more = reader.read(topic, 0, position(5), {1, 1'000, 30s});
  writer.join();
  REQUIRE(more.records.size() == 1);
  CHECK(more.records[0].payload == "5");
}

TEST_CASE("the marks of transactions are no records: whoever reads on does so behind them") {
  const auto topic = testing::make_topic("history-marks", 1);
  testing::fill_in_transaction(topic, 0, 0, 5);  // Its mark is at 5.
  history_reader reader(testing::kafka());
  CHECK(read_to_end(reader, topic, 0, position(0), {100, 1 << 20, 1s}).size() == 5);
  const auto at_mark = reader.read(topic, 0, position(5), {100, 1 << 20, 10s});
  CHECK(at_mark.records.empty());
  CHECK(at_mark.next == position(6));
  testing::fill(topic, 0, 6, 8);
  CHECK(read_to_end(reader, topic, 0, at_mark.next, {100, 1 << 20, 1s}) ==
        std::vector<std::string>{"6", "7"});
}

TEST_CASE("what the log has lost is named, with what it still has") {
  const auto topic = testing::make_topic("history-lost", 1);
  testing::fill(topic, 0, 0, 100);
  testing::truncate(topic, 0, 40);
  history_reader reader(testing::kafka());
  for (const int wanted : {10, 200}) {
    const auto batch = reader.read(topic, 0, position(wanted), {});
    CHECK(batch.what == outcome::truncated);
    CHECK(batch.begin == position(40));
    CHECK(batch.log_end == position(100));
  }
  CHECK(read_to_end(reader, topic, 0, position(40), {}).size() == 60);
}

TEST_CASE("a topic or partition that does not exist, and brokers that do not answer") {
  const auto topic = testing::make_topic("history-unknown", 1);
  history_reader reader(testing::kafka());
  CHECK(reader.read(topic, 5, position(0), {}).what == outcome::unknown_partition);
  CHECK(reader.read("no-such-topic", 0, position(0), {}).what == outcome::unknown_partition);
  kafka_options nobody;
  nobody.brokers = "127.0.0.1:1";
  history_reader deaf(nobody);
  CHECK(deaf.read(topic, 0, position(0), {10, 1'000, 200ms}).what == outcome::unavailable);
}

TEST_CASE("more partitions than may stay open, from several threads") {
  const auto topic = testing::make_topic("history-many", 12);
  for (std::uint32_t p = 0; p < 12; ++p) testing::fill(topic, p, 0, 500);
  history_reader reader(testing::kafka(), 4);
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (std::uint32_t t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (std::uint32_t i = 0; i < 24; ++i) {
        const auto batch =
            reader.read(topic, (i * 5 + t) % 12, position(100 + t), {50, 1 << 20, 20s});
        if (batch.records.size() != 50 || batch.records[0].payload != std::to_string(100 + t))
          ++wrong;
      }
    });
  for (auto& t : threads) t.join();
  CHECK(wrong == 0);
}
