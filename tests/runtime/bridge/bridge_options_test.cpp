#include <doctest/doctest.h>

#include "runtime/bridge/kafka_egress.hpp"
#include "runtime/bridge/kafka_options.hpp"

using namespace troupe;
using namespace troupe::bridge;

TEST_CASE("settings that the client does not know are named, all of them") {
  kafka_options o;
  o.settings = {
      {"security.protocol", "plaintext"}, {"no.such.setting", "1"}, {"socket.timeout.ms", "soon"}};
  const auto found = violations(o);
  REQUIRE(found.size() == 2);
  CHECK(found[0].find("no.such.setting") == 0);
  CHECK(found[1].find("socket.timeout.ms: \"soon\"") == 0);
}

TEST_CASE("a bad setting starts nothing") {
  egress_options o;
  o.kafka.settings = {{"no.such.setting", "1"}};
  CHECK_THROWS_WITH_AS(kafka_egress{o}, doctest::Contains("no.such.setting"), bad_kafka_setting);
}

TEST_CASE("a topic's name in Kafka has the prefix") {
  kafka_options o;
  CHECK(o.kafka_name("market") == "market");
  o.topic_prefix = "eu.";
  CHECK(o.kafka_name("market") == "eu.market");
}
