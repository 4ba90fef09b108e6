#include <doctest/doctest.h>

#include <mutex>
#include <vector>

#include "runtime/base/partition.hpp"
#include "runtime/bridge/kafka_producer.hpp"
#include "tests/runtime/bridge/kafka_fixture.hpp"

using namespace troupe;
using namespace troupe::bridge;
using namespace std::chrono_literals;

TEST_CASE("keys go where partition_of says, in order, and deliveries tell the offsets") {
  const auto topic = testing::make_topic("producer", 7);
  std::vector<std::vector<std::uint64_t>> told(7);
  producer_options options;
  options.kafka = testing::kafka();
  options.queue_records_max = 1'000;  // Less than is sent: the caller waits.
  kafka_producer producer(options, [&](const delivery& d) {
    CHECK(d.error.empty());
    CHECK(d.offset == static_cast<std::int64_t>(told[d.partition].size()));
    told[d.partition].push_back(d.token);
  });
  constexpr std::uint64_t count = 20'000;
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto key = "SYM" + std::to_string(i % 50), payload = std::to_string(i);
    REQUIRE(producer.send(topic, {key, payload, std::nullopt, std::nullopt, i}) ==
            kafka_producer::result::sent);
  }
  REQUIRE(producer.flush(60s));
  CHECK(producer.figures().sent == count);
  CHECK(producer.figures().delivered == count);
  CHECK(producer.figures().failed == 0);
  for (std::uint32_t p = 0; p < 7; ++p) {
    const auto records = testing::read_all(topic, p);
    REQUIRE(records.size() == told[p].size());
    for (std::size_t i = 0; i < records.size(); ++i) {
      CHECK(partition_of(records[i].key, 7) == p);
      CHECK(records[i].payload == std::to_string(told[p][i]));
      if (i > 0) CHECK(told[p][i - 1] < told[p][i]);
    }
  }
}

TEST_CASE("a record's time and partition can be given") {
  const auto topic = testing::make_topic("producer-time", 3);
  producer_options options;
  options.kafka = testing::kafka();
  kafka_producer producer(options);
  producer.send(topic, {"k", "v", 1'723'161'600'001, 2, 0});
  REQUIRE(producer.flush(60s));
  const auto records = testing::read_all(topic, 2);
  REQUIRE(records.size() == 1);
  CHECK(records[0].timestamp_ms == 1'723'161'600'001);
}

TEST_CASE("a queue that stays full is said, and so is a record that is refused") {
  producer_options options;
  options.kafka.brokers = "127.0.0.1:1";
  options.queue_records_max = 2;
  kafka_producer producer(options);
  CHECK(producer.send("t", {"k", "v", {}, 0, 0}) == kafka_producer::result::sent);
  CHECK(producer.send("t", {"k", "v", {}, 0, 0}) == kafka_producer::result::sent);
  CHECK(producer.send("t", {"k", "v", {}, 0, 0}, 20ms) == kafka_producer::result::full);
  CHECK_FALSE(producer.flush(20ms));
  const std::string large(2'000'000, 'x');
  CHECK(producer.send("t", {"k", large, {}, 0, 0}) == kafka_producer::result::failed);
  CHECK(producer.figures().last_error == "MSG_SIZE_TOO_LARGE");
}
