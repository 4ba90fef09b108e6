#include <doctest/doctest.h>

#include "runtime/bridge/kafka_egress.hpp"
#include "runtime/bridge/kafka_options.hpp"

using namespace troupe;
using namespace troupe::bridge;

TEST_CASE("what the client does not take is said, without the value") {
  CHECK(refusal_of_setting("security.protocol", "plaintext").empty());
  CHECK(refusal_of_setting("compression.level", "3").empty());  // A topic's.
  CHECK(refusal_of_setting("no.such.setting", "hunter2") == "librdkafka knows no such setting");
  CHECK(refusal_of_setting("ssl.ca.locaton", "hunter2") ==
        "librdkafka knows no such setting; did you mean ssl.ca.location?");
  for (const auto* name : {"socket.timeout.ms", "security.protocol", "enable.idempotence"}) {
    const auto said = refusal_of_setting(name, "hunter2");
    CHECK_MESSAGE(said.starts_with("librdkafka does not take it: "), name);
    CHECK_MESSAGE(said.find("hunter2") == std::string::npos, said);
  }
  // The bounds are shown, although the value stands in them.
  const auto said = refusal_of_setting("socket.timeout.ms", "1");
  CHECK_MESSAGE(said.find("value *** is outside allowed range 10..") != std::string::npos, said);
  CHECK(said.find('\n') == std::string::npos);
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
