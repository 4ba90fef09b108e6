#include "runtime/options/describe.hpp"

#include <doctest/doctest.h>

#include "tests/runtime/options/round_trip.hpp"

namespace troupe {
namespace {

using lines = std::vector<std::string>;
using nlohmann::json;

const auto describe_cluster = [](section& s, cluster_options& o) { describe(s, o); };
const auto describe_node = [](section& s, node_options& o) { describe(s, o); };

const json small_cluster{{"kafka", {{"brokers", "127.0.0.1:19092"}}},
                         {"postgres", {{"dsn", "host=127.0.0.1 dbname=troupe"}}}};
const json small_node{{"id", "node-1"}};

lines cluster_problems(const json& patch) {
  auto document = small_cluster;
  document.merge_patch(patch);
  return testing::read_and_print<cluster_options>(document, describe_cluster).problems;
}

lines node_problems(const json& patch) {
  auto document = small_node;
  document.merge_patch(patch);
  return testing::read_and_print<node_options>(document, describe_node).problems;
}

TEST_CASE("every option of the cluster reaches its own member") {
  testing::check_every_option<cluster_options>(small_cluster, describe_cluster);
}

TEST_CASE("every option of a node reaches its own member") {
  testing::check_every_option<node_options>(small_node, describe_node);
}

TEST_CASE("every member has its option") {
  const auto cluster =
      testing::read_and_print<cluster_options>(small_cluster, describe_cluster).printed;
  CHECK(cluster.size() == testing::members<cluster_options>());
  CHECK(cluster["kafka"].size() == testing::members<kafka_options>());
  CHECK(cluster["postgres"].size() == testing::members<postgres_options>());
  CHECK(cluster["lease"].size() == testing::members<lease_options>());
  CHECK(cluster["checkpoint"].size() == testing::members<checkpoint_options>());
  CHECK(cluster["ingress"].size() == testing::members<ingress_options>());
  CHECK(cluster["egress"].size() == testing::members<egress_options>());
  CHECK(cluster["entities"].size() == testing::members<entity_options>());
  const auto node = testing::read_and_print<node_options>(small_node, describe_node).printed;
  CHECK(node.size() == testing::members<node_options>());
  CHECK(node["admin"].size() == testing::members<endpoint>());
  CHECK(node["http"].size() == testing::members<endpoint>());
  CHECK(node["log"].size() == testing::members<log_options>());
}

TEST_CASE("relations between options of the cluster") {
  struct row {
    const char* patch;
    const char* problem;
  };
  for (const auto& r : {
           row{R"({"lease": {"ttl_ms": 100}})",
               "f: lease.ttl_ms = 100: must be more than 2 × renewal_ms + margin_ms = 2500 ms "
               "(cluster stays up when one renewal is lost)"},
           row{R"({"lease": {"ttl_ms": 2500}})",
               "f: lease.ttl_ms = 2500: must be more than 2 × renewal_ms + margin_ms = 2500 ms "
               "(cluster stays up when one renewal is lost)"},
           row{R"({"lease": {"margin_ms": 3000}})",
               "f: lease.ttl_ms = 5000 (the default): must be more than 2 × renewal_ms + "
               "margin_ms = 5000 ms (cluster stays up when one renewal is lost)"},
           row{R"({"kafka": {"retention_ms": 0}})",
               "f: kafka.retention_ms = 0: must be -1 or at least 60000 ms (a restart has to find "
               "its records)"},
           row{R"({"checkpoint": {"output_delay_ms": 1001}})",
               "f: checkpoint.output_delay_ms = 1001: must be at most interval_ms = 1000"},
           row{R"({"ingress": {"shard_inflight_max": 9999}})",
               "f: ingress.shard_inflight_max = 9999: must be at least batch_records_max = 10000"},
           row{R"({"ingress": {"queued_kbytes_max": 64}})",
               "f: ingress.record_bytes_max = 1048576 (the default): must fit into "
               "queued_kbytes_max = 64 KiB"},
           row{R"({"egress": {"linger_ms": 5000}})",
               "f: egress.linger_ms = 5000: must be less than message_timeout_ms = 5000"},
           row{R"({"entities": {"quarantine_after_restarts": 11}})",
               "f: entities.quarantine_after_restarts = 11: must be at most "
               "restarts_per_minute_max = 10 (or the shard stops before it gets rid of the input)"},
           row{R"({"entities": {"restart_backoff_max_ms": 99}})",
               "f: entities.restart_backoff_max_ms = 99: must be at least restart_backoff_ms = "
               "100"},
       })
    CHECK(cluster_problems(json::parse(r.patch)) == lines{r.problem});
  CHECK(cluster_problems(
            json::parse(R"({"lease": {"ttl_ms": 2501}, "checkpoint": {"output_delay_ms": 1000},
      "ingress": {"shard_inflight_max": 10000}, "kafka": {"retention_ms": 60000}})")) == lines{});
}

TEST_CASE("brokers are hosts with ports") {
  for (const auto* good : {"a:1", "127.0.0.1:19092", "[::1]:9092", "a.b-c:65535,d:9092"})
    CHECK_MESSAGE(cluster_problems({{"kafka", {{"brokers", good}}}}) == lines{}, good);
  for (const auto* bad : {"", "a", "a:", ":1", "a:0", "a:65536", "a:1,", ",a:1", "a:1, b:2",
                          "a:1;b:2", "http://a:1", "a:+1"})
    CHECK_MESSAGE(cluster_problems({{"kafka", {{"brokers", bad}}}}).size() == 1, bad);
}

TEST_CASE("settings of librdkafka: any name but ours, any scalar, never printed") {
  CHECK(
      cluster_problems(
          {{"kafka",
            {{"client", {{"sasl.password", "x"}, {"socket.timeout.ms", 5}, {"debug", true}}}}}}) ==
      lines{});
  const json client{{"enable.idempotence", false},
                    {"sasl.password", {"hunter2"}},
                    {"Bad Name", "hunter2"},
                    {"sasl.username", nullptr}};
  CHECK(cluster_problems({{"kafka", {{"client", client}}}}).size() ==
        3);  // merge_patch takes null as "leave out".
  auto document = small_cluster;
  document["kafka"]["client"] = client;
  CHECK(
      testing::read_and_print<cluster_options>(document, describe_cluster).problems ==
      lines{"f: kafka.client.\"Bad Name\" = \"***\": is no name of a librdkafka setting",
            "f: kafka.client.enable.idempotence = ***: is set by Troupe itself; see kafka, "
            "ingress and egress",
            "f: kafka.client.sasl.password = [...]: must be a text, a whole number, true or false",
            "f: kafka.client.sasl.username = ***: must be a text, a whole number, true or false"});
}

TEST_CASE("a refused dsn keeps its password to itself") {
  CHECK(cluster_problems({{"postgres", {{"dsn", "host=db password=hunter2 sslmode"}}}}) ==
        lines{"f: postgres.dsn = \"***\": must be libpq connection text (host=... port=... "
              "user=... dbname=...) or a postgresql:// address"});
  CHECK(cluster_problems({{"postgres", {{"dsn", 5}}}})
            .front()
            .starts_with("f: postgres.dsn = ***: must be a text"));
}

TEST_CASE("servers listen on an address") {
  for (const auto* good : {"127.0.0.1", "127.9.9.9", "10.0.0.1", "0.0.0.0"})
    CHECK_MESSAGE(node_problems({{"http", {{"host", good}}}}) == lines{}, good);
  for (const auto* bad : {"", "localhost", "::1", "127.0.0.1.example.org", "example.org", "127.1"})
    CHECK_MESSAGE(
        node_problems({{"admin", {{"host", bad}}}}) ==
            lines{"f: admin.host = \"" + std::string(bad) + "\": must be an IPv4 address"},
        bad);
  CHECK(node_problems({{"http", {{"port", 7401}}}}) ==
        lines{"f: http: must not listen on the port of admin"});
}

TEST_CASE("a node's name is short and plain") {
  for (const auto* bad : {"", "Node", "node_1", "a b", "node-12345678901234567890123456789"})
    CHECK_MESSAGE(node_problems({{"id", bad}}).size() == 1, bad);
  CHECK(node_problems({{"id", nullptr}}) == lines{"f: id: is missing: 1 to 32 of a-z 0-9 -"});
}

TEST_CASE("levels by component") {
  CHECK(node_problems(
            {{"log", {{"components", {{"store", "debug"}, {"bridge", "loud"}, {"http", 3}}}}}}) ==
        lines{"f: log.components.bridge = \"loud\": must be one of trace, debug, info, warn, "
              "error, off",
              "f: log.components.http = 3: must be one of trace, debug, info, warn, error, off"});
  for (const auto name : log::components)
    CHECK(node_problems({{"log", {{"components", {{std::string(name), "debug"}}}}}}) == lines{});
  for (const auto* none : {"stoer", "admin", "market", "Store", ""})
    CHECK_MESSAGE(node_problems({{"log", {{"components", {{none, "debug"}}}}}}).size() == 1, none);
  CHECK(node_problems({{"log", {{"components", {{"stoer", "debug"}}}}}}) ==
        lines{"f: log.components.stoer = \"debug\": is no component: they are bridge, cluster, "
              "entity, http, node, notification, store"});
}

TEST_CASE("what only the libraries can judge is asked of them, and no value is shown") {
  library_checks judge;
  judge.kafka_setting = [](const std::string& name, const std::string& value) {
    return name == "good" && value == "7" ? "" : "is nonsense";
  };
  judge.dsn = [](const std::string& dsn) {
    return dsn.find("hots") == std::string::npos ? "" : "knows no hots";
  };
  const auto problems = [&](const json& patch) {
    auto document = small_cluster;
    document.merge_patch(patch);
    return testing::read_and_print<cluster_options>(
               document, [&](section& s, cluster_options& o) { describe(s, o, judge); })
        .problems;
  };
  CHECK(problems({{"kafka", {{"client", {{"good", 7}}}}}}) == lines{});
  CHECK(problems({{"kafka", {{"client", {{"good", 7}, {"no.such", "hunter2"}, {"good.not", 1}}}}},
                  {"postgres", {{"dsn", "hots=hunter2 password=hunter2"}}}}) ==
        lines{"f: kafka.client.good.not = ***: is nonsense",
              "f: kafka.client.no.such = \"***\": is nonsense",
              "f: postgres.dsn = \"hots=*** password=***\": knows no hots"});
}

}  // namespace
}  // namespace troupe
