#include <doctest/doctest.h>

#include <thread>

#include "runtime/bridge/topic_admin.hpp"
#include "tests/runtime/bridge/kafka_fixture.hpp"

using namespace troupe;
using namespace troupe::bridge;
using namespace std::chrono_literals;

TEST_CASE("missing topics are made, existing ones left alone, racing creators are fine") {
  const auto a = testing::unique_name("admin-a"), b = testing::unique_name("admin-b");
  const std::vector<topic_spec> wanted{{a, 4, 1, {{"retention.ms", "-1"}}}, {b, 2, 1, {}}};
  std::vector<topic_report> reports(3);
  std::vector<std::thread> racers;
  for (auto& report : reports)
    racers.emplace_back([&] { report = topic_admin(testing::kafka()).ensure_topics(wanted, 60s); });
  for (auto& t : racers) t.join();
  std::size_t created = 0;
  for (const auto& report : reports) {
    CHECK(report.ok());
    created += report.created.size();
  }
  CHECK(created == 2);
  topic_admin admin(testing::kafka());
  CHECK(admin.ensure_topics(wanted, 60s).created.empty());
  CHECK(admin.partitions({a, "no-such-topic"}, 10s) ==
        std::map<std::string, std::uint32_t>{{a, 4}});
}

TEST_CASE("each topic with another partition count is named") {
  const auto a = testing::make_topic("admin-few", 2), b = testing::make_topic("admin-many", 9);
  topic_admin admin(testing::kafka());
  const auto report = admin.ensure_topics({{a, 8, 1, {}}, {b, 8, 1, {}}}, 60s);
  REQUIRE(report.problems.size() == 2);
  CHECK(report.problems[0] == a + ": has 2 partitions, 8 are needed");
  CHECK(report.problems[1] == b + ": has 9 partitions, 8 are needed");
}

TEST_CASE("a topic that cannot be made says why") {
  const auto a = testing::unique_name("admin-copies"), b = testing::unique_name("admin-config");
  topic_admin admin(testing::kafka());
  const auto report =
      admin.ensure_topics({{a, 1, 3, {}}, {b, 1, 1, {{"no.such.config", "1"}}}}, 60s);
  REQUIRE(report.problems.size() == 2);
  CHECK(report.problems[0].find(a + ": cannot be made: ") == 0);
  CHECK(report.problems[1].find(b + ": cannot be made: ") == 0);
}

TEST_CASE("a prefix stands before every name") {
  auto options = testing::kafka();
  options.topic_prefix = testing::unique_name("prefix") + '.';
  topic_admin admin(options);
  CHECK(admin.ensure_topics({{"market", 1, 1, {}}}, 60s).created ==
        std::vector{options.topic_prefix + "market"});
  const auto name = options.topic_prefix + "market";
  CHECK(topic_admin(testing::kafka()).partitions({name}, 10s)->at(name) == 1);
}

TEST_CASE("deleted topics are gone, with their records; what does not exist is no problem") {
  const auto a = testing::make_topic("admin-delete", 2), b = testing::make_topic("admin-stay", 1);
  topic_admin admin(testing::kafka());
  CHECK(admin.remove_topics({a, "no-such-topic"}, 60s).empty());
  CHECK(admin.partitions({a, b}, 10s) == std::map<std::string, std::uint32_t>{{b, 1}});
  CHECK(admin.remove_topics({a}, 60s).empty());
}

TEST_CASE("brokers that do not answer are a problem, in time") {
  kafka_options nobody;
  nobody.brokers = "127.0.0.1:1";
  topic_admin admin(nobody);
  const auto begun = std::chrono::steady_clock::now();
  const auto report = admin.ensure_topics({{"market", 1, 1, {}}}, 500ms);
  CHECK(std::chrono::steady_clock::now() - begun < 5s);
  REQUIRE(report.problems.size() == 1);
  CHECK(report.problems[0].find("Kafka at 127.0.0.1:1 did not answer in 500 ms") == 0);
  CHECK_FALSE(admin.range("market", 0, 200ms).has_value());
}

TEST_CASE("where a log begins and ends") {
  const auto topic = testing::make_topic("admin-range", 3);
  testing::fill(topic, 1, 0, 10);
  testing::truncate(topic, 1, 4);
  topic_admin admin(testing::kafka());
  const auto ranges = admin.ranges(topic, 3, 10s);
  REQUIRE(ranges.size() == 3);
  CHECK(ranges[0].begin == position(0));
  CHECK(ranges[0].end == position(0));
  CHECK(ranges[1].begin == position(4));
  CHECK(ranges[1].end == position(10));
  CHECK(admin.range(topic, 1, 10s)->end == position(10));
  CHECK(admin.ranges(topic, 4, 2s).empty());
}
