#include "app/commands/config_command.hpp"

#include <doctest/doctest.h>

#include <sstream>

#include "actors/market/indicators/indicator_plan.hpp"
#include "app/settings.hpp"
#include "runtime/options/load.hpp"
#include "tests/runtime/options/config_files.hpp"

namespace troupe {
namespace {

struct run_result {
  int exit_code;
  std::string out;
};

/// -1: the command line was refused before anything ran.
run_result run(const std::string& arguments) {
  CLI::App app{"troupe"};
  std::ostringstream out;
  int exit_code = -1;
  add_config_command(app, exit_code, out);
  try {
    app.parse(arguments);
  } catch (const CLI::ParseError&) {
    return {-1, out.str()};
  }
  return {exit_code, out.str()};
}

TEST_CASE("config check says everything about several files, each thing once") {
  testing::config_folder folder;
  folder.write("cluster.json", R"({"kafka": {"brokers": "h:1"}, "postgres": {"dsn": "host=h"},
      "market": {"indicators": ["smart"]}})");
  const auto a = folder.write("a.json", R"({"id": "a"})");
  const auto b = folder.write("b.json", R"({"id": "B"})");
  const auto [exit_code, out] = run("config check " + a + ' ' + b);
  CHECK(exit_code == 1);
  CHECK(out == folder.path("cluster.json") +
                   ": market.indicators[0] = \"smart\": " + market::indicator_violation("smart") +
                   '\n' + b + ": id = \"B\": must be 1 to 32 of a-z 0-9 -\n2 violations\n");

  const auto parsed = nlohmann::json::parse(run("config check --json " + b).out);
  CHECK(parsed["files"] == nlohmann::json::array({b}));
  CHECK(parsed["violations"].size() == 2);
  CHECK(parsed["violations"][0] == nlohmann::json{{"file", b},
                                                  {"field", "id"},
                                                  {"value", "\"B\""},
                                                  {"allowed", "must be 1 to 32 of a-z 0-9 -"}});
}

TEST_CASE("config check asks the libraries about what is theirs, all at once, without values") {
  testing::config_folder folder;
  const auto file = folder.write("cluster.json", R"({
      "kafka": {"brokers": "h:1", "client": {"no.such.setting": "hunter2", "ssl.ca.location": "x",
                "socket.timeout.ms": "hunter2", "sasl.mechanism": "PLAIN"}},
      "postgres": {"dsn": "hots=hunter2 user=t pasword=hunter2"}, "shards": 0})");
  const auto [exit_code, out] = run("config check " + file);
  CHECK(exit_code == 1);
  CHECK(out.find("hunter2") == std::string::npos);
  for (const auto* said :
       {": shards = 0: must be 1 to 4096 shards\n",
        ": kafka.client.no.such.setting = \"***\": librdkafka knows no such setting\n",
        ": kafka.client.socket.timeout.ms = \"***\": librdkafka does not take it: ",
        ": postgres.dsn = \"hots=*** user=t pasword=***\": libpq knows no keyword hots "
        "(did you mean host?), pasword (did you mean password?)\n",
        "\n4 violations\n"})
    CHECK_MESSAGE(out.find(said) != std::string::npos, said, " in ", out);
  folder.write("cluster.json", R"({"kafka": {"brokers": "h:1", "client": {"nothing": 1}},
      "postgres": {"dsn": "host=h"}})");
  CHECK(!app::load_settings(folder.write("a.json", R"({"id": "a"})")).has_value());
}

TEST_CASE("config check of good files") {
  const auto [exit_code, out] = run("config check " TROUPE_SOURCE_DIR "/config/local/node-1.json");
  CHECK(exit_code == 0);
  CHECK(out == "Nothing is wrong.\n");
  const auto as_json = run("config check --json " TROUPE_SOURCE_DIR "/config/local/cluster.json");
  CHECK(as_json.exit_code == 0);
  CHECK(nlohmann::json::parse(as_json.out)["violations"].empty());
}

TEST_CASE("the files that come with Troupe are right, and meet the services that come with it") {
  const auto all = app::load_settings(TROUPE_SOURCE_DIR "/config/local/node-1.json");
  REQUIRE(all.has_value());
  CHECK(all->node.id == "node-1");
  CHECK(all->cluster.kafka.brokers == "127.0.0.1:19092");
  CHECK(all->cluster.postgres.dsn == "host=127.0.0.1 port=15432 user=troupe dbname=troupe");
}

TEST_CASE("config reference prints JSON with comments") {
  const auto [exit_code, out] = run("config reference");
  CHECK(exit_code == 0);
  const auto parsed = nlohmann::json::parse(out, nullptr, true, true);
  CHECK(parsed["cluster"]["market"]["periods"] == nlohmann::json::array({"1m", "1d"}));
}

TEST_CASE("what is no command line is refused") {
  for (const auto* bad :
       {"config", "config check", "config check --jsn x", "config reference x", "config print"})
    CHECK_MESSAGE(run(bad).exit_code == -1, bad);
}

}  // namespace
}  // namespace troupe
