#include "runtime/options/load.hpp"

#include <doctest/doctest.h>

#include "tests/runtime/options/config_files.hpp"

namespace troupe {
namespace {

using lines = std::vector<std::string>;

constexpr auto good_cluster = R"({
  // Comments are welcome.
  "kafka": {"brokers": "127.0.0.1:19092", "topic_prefix": "test."},
  "postgres": {"dsn": "host=db password=${PW}"},
  "lease": {"ttl_ms": 6000}
})";
constexpr auto good_node =
    R"({"cluster": "cluster.json", "id": "node-7", "threads": 3, "log": {"level": "warn"}})";

const auto env = testing::variables({{"PW", "hunter2"}});

TEST_CASE("a node's file and the cluster's file that it names become options") {
  testing::config_folder folder;
  folder.write("cluster.json", good_cluster);
  const auto result = load_config(folder.write("node.json", good_node), {}, env);
  CHECK(folder.lines(result.violations) == lines{});
  REQUIRE(result.options.has_value());
  const auto& [cluster, node] = *result.options;
  CHECK(cluster.kafka.topic_prefix == "test.");
  CHECK(cluster.postgres.dsn == "host=db password=hunter2");
  CHECK(cluster.lease.ttl == std::chrono::milliseconds(6000));
  CHECK(cluster.shards == 64);
  CHECK(node.id == "node-7");
  CHECK(node.threads == 3);
  CHECK(node.log.level == log::level::warn);
  CHECK(node.http.port == 7481);
}

TEST_CASE("every violation of both files is reported at once") {
  testing::config_folder folder;
  folder.write(
      "cluster.json",
      R"({"shards": 5000, "kafka": {"broker": "h:1"}, "postgres": {"dsn": "password=${PW} host=${HOST}"},
      "threads": 4, "lease": {"ttl_ms": 100}, "shards": 1})");
  const auto result =
      load_config(folder.write("node.json", R"({"id": "N", "http": {"host": "0.0.0.0", "prot": 1},
      "kafka": {}, "log": {"file": "/no/such/folder/log"}})"),
                  {}, env);
  CHECK_FALSE(result.options.has_value());
  CHECK(folder.lines(result.violations) ==
        lines{"node.json: id = \"N\": must be 1 to 32 of a-z 0-9 -",
              "node.json: http.prot: unknown option; did you mean port?",
              "node.json: kafka: unknown option; did you mean kafka in the cluster's file?",
              "node.json: log.file = \"/no/such/folder/log\": the folder does not exist",
              "cluster.json: shards: stands here twice; the key may be used once",
              "cluster.json: shards = 5000: must be 1 to 4096 shards",
              "cluster.json: kafka.brokers: is missing: host:port, several with commas between",
              "cluster.json: kafka.broker: unknown option; did you mean brokers?",
              "cluster.json: postgres.dsn = \"password=*** host=${HOST}\": environment variable "
              "HOST is not set",
              "cluster.json: lease.ttl_ms = 100: must be more than 2 × renewal_ms + margin_ms = "
              "2500 ms (cluster stays up when one renewal is lost)",
              "cluster.json: threads: unknown option; did you mean threads in the node's file?",
              "node.json: http.host = \"0.0.0.0\": must be a loopback address (127.x.x.x), or "
              "security.token must be set"});
}

TEST_CASE("missing and broken files") {
  testing::config_folder folder;
  CHECK(folder.lines(load_config(folder.path("none.json")).violations) ==
        lines{"none.json: does not exist"});
  CHECK(folder.lines(
            load_config(folder.write("node.json", R"({"id": "a", "cluster": "conf/c.json"})"))
                .violations) ==
        lines{"node.json: cluster = \"conf/c.json\": there is no file conf/c.json"});
  folder.write("cluster.json", "{\n  \"kafka\": {,}\n}");
  CHECK(folder.lines(load_config(folder.write("node.json", R"({"id": "A"})")).violations) ==
        lines{"node.json: id = \"A\": must be 1 to 32 of a-z 0-9 -",
              "cluster.json: line 2, column 13: syntax error while parsing object key - unexpected "
              "','; expected string literal"});
  CHECK(folder
            .lines(load_config(folder.write("node.json", R"({"id": "a", "cluster": "node.json"})"))
                       .violations)
            .size() >= 3);
}

TEST_CASE("a domain describes its own group of the cluster's file") {
  std::uint32_t depth = 3;
  const std::vector<domain_section> domains{
      {"sea", "The sea.", [&](section& s) {
         s.number("depth", depth, {1, 9, "miles"}, "How deep.");
       }}};
  testing::config_folder folder;
  const auto node = folder.write("node.json", R"({"id": "a"})");
  const auto with_sea = [&](const std::string& sea) {
    folder.write("cluster.json",
                 R"({"kafka": {"brokers": "h:1"}, "postgres": {"dsn": "host=h"}, )" + sea + '}');
    return folder.lines(load_config(node, domains).violations);
  };
  CHECK(with_sea(R"("sea": {"depth": 7})") == lines{});
  CHECK(depth == 7);
  CHECK(with_sea(R"("sea": {"depth": 10, "width": 1})") ==
        lines{"cluster.json: sea.depth = 10: must be 1 to 9 miles",
              "cluster.json: sea.width: unknown option"});
  CHECK(with_sea(R"("depth": 1)") ==
        lines{"cluster.json: depth: unknown option; did you mean sea.depth?"});
}

TEST_CASE("a file is checked as a node's or as the cluster's") {
  testing::config_folder folder;
  const auto cluster = folder.write("cluster.json", good_cluster);
  const auto node = folder.write("node.json", good_node);
  CHECK(folder.lines(check_config(cluster, {}, env)) == lines{});
  CHECK(folder.lines(check_config(node, {}, env)) == lines{});
  CHECK(folder.lines(check_config(cluster)) ==
        lines{"cluster.json: postgres.dsn = \"host=db password=***\": environment variable PW is "
              "not set"});
  CHECK(folder.lines(check_config(node)) == folder.lines(check_config(cluster)));
}

}  // namespace
}  // namespace troupe
