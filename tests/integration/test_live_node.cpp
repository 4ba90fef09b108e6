// What a running node tells of itself and keeps aside: the commands that show it, HTTP, and what
// they say when its log is not as it should be.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>

#include "tests/chaos/market_run.hpp"
#include "tests/runtime/bridge/kafka_fixture.hpp"
#include "tests/runtime/http/client.hpp"
#include "tests/runtime/metrics/exposition.hpp"

using namespace troupe::test;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

using words = std::vector<std::string>;

constexpr market_run::records amount{4, 200, 1, 4};

json read_json(const std::string& file) {
  return json::parse(std::ifstream(file));
}

/// One node, asked in every way.
class asked_node {
 public:
  explicit asked_node(words program = {}) : run(amount, std::move(program)) {}

  run_result cli(words what) const {
    what.insert(what.end(), {"--config", run.folder().node_config()});
    return run_troupe(what);
  }
  json ask(words what) const {
    what.emplace_back("--json");
    return json::parse(cli(what).output);
  }
  answer get(const std::string& path) const {
    const auto port = read_json(run.folder().node_config()).at("http").at("port");
    return client(port.get<std::uint16_t>())
        .ask("GET " + path + " HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n");
  }
  exposition metrics() const { return parse_exposition(get("/metrics").body); }
  std::string sql(const std::string& query) const { return run.folder().database().run(query); }
  std::int64_t count(const std::string& query) const { return std::stoll(sql(query)); }

  market_run run;
};

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::int64_t entries(const std::string& folder) {
  return std::distance(std::filesystem::directory_iterator(folder), {});
}

std::set<std::string> named_in(const std::string& text, const std::string& pattern) {
  const std::regex name(pattern);
  std::set<std::string> all;
  for (std::sregex_iterator it(text.begin(), text.end(), name), end; it != end; ++it)
    all.insert(it->str());
  return all;
}

void check_symbols(const asked_node& node) {
  const auto list = node.ask({"symbol", "list"});
  CHECK(list == json::parse(node.sql(
                    "select json_agg(s order by symbol) from (select symbol, trades, volume::text, "
                    "last_price::text, last_time, refused from symbols) s")));
  REQUIRE(list.size() == amount.symbols);
  const auto text = node.cli({"symbol", "list"});
  CHECK(text.exit_code == 0);
  CHECK(text.output.starts_with("symbol "));
  for (const auto& row : list) {
    const auto symbol = row.at("symbol").get<std::string>();
    CHECK(contains(text.output, '\n' + symbol + ' '));
    const auto shown = node.ask({"symbol", "show", symbol});
    CHECK(shown.at("entity") == "symbol/" + symbol);
    CHECK(shown.at("node") == "node-1");
    CHECK(shown.at("state").at("trades") == row.at("trades"));
    CHECK(shown.at("state").at("refused") == row.at("refused"));
    const auto readable = node.cli({"symbol", "show", symbol});
    CHECK(readable.exit_code == 0);
    CHECK(json::parse(readable.output) == shown);
  }
  const auto unknown = node.cli({"symbol", "show", "NONE"});
  CHECK(unknown.exit_code == 1);
  CHECK(contains(unknown.output, "unknown_entity: symbol/NONE does not exist"));
}

void check_shards(const asked_node& node) {
  const auto list = node.ask({"shard", "list"});
  REQUIRE(list.size() == amount.shards);
  const auto text = node.cli({"shard", "list"});
  CHECK(text.exit_code == 0);
  for (std::size_t i = 0; i < list.size(); ++i) {
    auto s = list[i];
    const auto id = " where shard = " + std::to_string(i);
    CHECK(s.at("shard") == i);
    CHECK(s.at("live") == true);
    CHECK(s.at("node") == "node-1");
    CHECK(s.at("assigned") == "node-1");
    CHECK(s.at("lag") == 0);
    CHECK(s.at("uncommitted") == 0);
    CHECK(s.at("undelivered") == 0);
    CHECK(s.at("epoch") == node.count("select epoch from shard where id = " + std::to_string(i)));
    const auto next =
        node.count("select coalesce(max(next), 0) from position" + id + " and topic = 'market'");
    CHECK(s.at("positions").value("market", 0) == next);
    if (next > 0) CHECK(contains(text.output, "market@" + std::to_string(next)));
    auto shown = node.ask({"shard", "show", std::to_string(i)});
    for (auto* one : {&s, &shown}) one->erase("entities");  // Idle ones go.
    CHECK(shown == s);
  }
}

void check_quarantine(const asked_node& node) {
  const auto held = node.ask({"quarantine", "list"});
  REQUIRE(held.size() >= 2);
  const auto text = node.cli({"quarantine", "list"});
  CHECK(text.exit_code == 0);
  for (const auto& q : held) {
    CHECK(q.at("state") == "held");
    CHECK(q.at("source") == "market");
    CHECK(q.at("place") == 20);
    CHECK(q.at("reason") == "a defect, always on this event");
    CHECK(q.at("entity") == "symbol/" + q.at("key").get<std::string>());
    CHECK(json::parse(q.at("input").get<std::string>()).at("symbol") == q.at("key"));
    CHECK(contains(text.output, q.at("entity").get<std::string>() +
                                    "  market@20  a defect, always on this event\n"));
    CHECK(contains(text.output, q.at("input").get<std::string>()));
  }
  const auto id = held[0].at("id").dump();
  const auto unknown = node.cli({"quarantine", "purge", "999999"});
  CHECK(unknown.exit_code == 1);
  CHECK(contains(unknown.output, "999999"));
  CHECK(node.cli({"quarantine", "purge", id, "--all"}).exit_code == 2);
  CHECK(node.ask({"quarantine", "list"}).size() == held.size());

  const auto purged = node.cli({"quarantine", "purge", id});
  CHECK(purged.exit_code == 0);
  CHECK(purged.output == "1 purged\n");
  CHECK(node.cli({"quarantine", "purge", id}).exit_code == 1);  // It is not held any more.
  CHECK(node.ask({"quarantine", "list"}).size() == held.size() - 1);
  CHECK(node.ask({"quarantine", "purge", "--all"}) == json{{"purged", held.size() - 1}});
  CHECK(node.cli({"quarantine", "list"}).output == "nothing is quarantined\n");
  const auto all = node.ask({"quarantine", "list", "--all"});
  CHECK(all.size() == held.size());
  for (const auto& q : all) CHECK(q.at("state") == "purged");
}

void check_process_metrics(asked_node& node) {
  const auto own = "/proc/" + std::to_string(node.run.node().pid());
  wait_until("the number of threads", 10s, [&] {
    const auto now = static_cast<double>(entries(own + "/task"));
    return node.metrics().value("process_threads") == now;
  });
  const auto m = node.metrics();
  CHECK(m.value("process_resident_memory_bytes") ==
        doctest::Approx(static_cast<double>(node.run.node().memory())).epsilon(0.2));
  CHECK(m.value("process_open_fds") ==
        doctest::Approx(static_cast<double>(entries(own + "/fd"))).epsilon(0.2));
  CHECK(m.value("process_max_fds") > m.value("process_open_fds"));
  CHECK(m.value("process_cpu_seconds_total") > 0);
  const auto age =
      std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count() -
      m.value("process_start_time_seconds");
  CHECK(age > 0);
  CHECK(age < 300);
}

void check_metrics(asked_node& node) {
  const auto said = node.get("/metrics");
  CHECK(said.status == 200);
  CHECK(said.header("content-type") == "text/plain; version=0.0.4; charset=utf-8");
  const auto m = parse_exposition(said.body);
  CHECK(m.value("troupe_entity_live_shards") == amount.shards);
  CHECK(m.value("troupe_cluster_live_nodes") == 1);
  CHECK(m.value("troupe_ingress_lag_records") == 0);
  CHECK(m.value("troupe_ingress_records_total") >= static_cast<double>(node.run.sent()));
  CHECK(m.value("troupe_entity_quarantined_total") ==
        static_cast<double>(node.count("select count(*) from quarantine")));
  CHECK(m.value("troupe_store_commits_total", {{"outcome", "committed"}}) >=
        m.value("troupe_entity_commits_total"));
  for (const auto* outcome : {"fenced", "outcome_unknown", "unavailable", "rejected"})
    CHECK(m.value("troupe_store_commits_total", {{"outcome", outcome}}) == 0);
  CHECK(m.value("troupe_store_waiting_calls") < 100);
  // The manual names what there is, and there is what it names.
  std::ifstream manual(PROJECT_FOLDER "/docs/operations.md");
  const std::string text((std::istreambuf_iterator<char>(manual)), {});
  const auto named = named_in(text, "\\b(troupe_[a-z]+_[a-z_]+|process_[a-z_]+)");
  for (const auto& name : named) CHECK_MESSAGE(m.families.contains(name), name);
  for (const auto& [name, family] : m.families) CHECK_MESSAGE(named.contains(name), name);
  CHECK(node.get("/metrics/").status == 404);
}

}  // namespace

TEST_CASE("a running node: its symbols, shards, quarantine, metrics and health, in all ways") {
  asked_node node({FAULTY_NODE, "--throw-on", "20"});
  node.run.play([](steady_load&) {}, 120s);
  check_symbols(node);
  check_shards(node);
  check_metrics(node);
  check_process_metrics(node);
  check_quarantine(node);
  for (const auto* path : {"/healthz", "/readyz"}) {
    const auto said = node.get(path);
    CHECK(said.status == 200);
    CHECK(json::parse(said.body) ==
          json{{"healthy", true}, {"ready", true}, {"problems", json::array()}});
  }
  CHECK(node.cli({"health"}).output == "healthy, ready\n");
}

namespace {

void set_on_truncated(const asked_node& node, const std::string& what) {
  const auto file = node.run.folder().path() + "/cluster.json";
  auto all = read_json(file);
  all["ingress"] = {{"on_truncated", what}};
  std::ofstream(file) << all;
}

/// Waits until these are the node's problems, and checks that all its voices tell them.
void check_unhealthy(asked_node& node, const words& problems) {
  wait_until("health to say: " + problems.front(), 60s, [&] {
    return node.cli({"health"}).exit_code == 1 &&
           node.ask({"health"}).at("problems") == json(problems);
  });
  const auto health = node.cli({"health"});
  CHECK(health.output.starts_with("unhealthy, not ready\n"));
  const auto status = node.cli({"status"});
  for (const auto& problem : problems) {
    CHECK(contains(health.output, problem + '\n'));
    CHECK(contains(status.output, "PROBLEM       node-1: " + problem + '\n'));
  }
  for (const auto* path : {"/healthz", "/readyz"}) {
    const auto said = node.get(path);
    CHECK(said.status == 503);
    CHECK(json::parse(said.body).at("problems") == json(problems));
  }
  CHECK(node.metrics().value("troupe_entity_stopped_shards") ==
        static_cast<double>(problems.size()));
}

void await_health(const asked_node& node) {
  wait_until("a healthy node", 60s, [&] { return node.cli({"health"}).exit_code == 0; });
}

}  // namespace

TEST_CASE(
    "a log that has lost records, or ends before the position: each stops the shard in its words, "
    "and it goes on as the manual says") {
  asked_node node;
  node.run.play([](steady_load&) {}, 120s);
  const auto topic = node.run.folder().prefix() + "market";
  const auto position = [&](unsigned shard) {
    return node.count(
        "select coalesce(max(next), 0) from position where topic = 'market' and shard = " +
        std::to_string(shard));
  };
  // Records were deleted before they were read. The busiest shard, which has some.
  REQUIRE(node.run.node().stop() == 0);
  const auto shard = static_cast<unsigned>(node.count(
      "select shard from position where topic = 'market' order by next desc, shard limit 1"));
  const auto next = position(shard);
  node.run.send(200, 240);
  troupe::testing::truncate(topic, shard, next + 5);
  node.run.node().start();
  const auto partition = [](unsigned s) {
    return "shard " + std::to_string(s) + ": given up: topic market partition " + std::to_string(s);
  };
  check_unhealthy(node, {partition(shard) + " begins at offset " + std::to_string(next + 5) +
                         ", position " + std::to_string(next) +
                         " is gone: 5 records are missing (set ingress.on_truncated to "
                         "\"continue\" to go on without them)"});
  REQUIRE(node.run.node().stop() == 0);
  set_on_truncated(node, "continue");
  node.run.node().start();
  wait_until("the rest", 60s, [&] { return node.run.settled(); });
  await_health(node);
  CHECK(node.metrics().value("troupe_ingress_missing_total") == 5);

  // Somebody makes the topic anew: no setting helps, and what comes then is not taken for what was
  // there before.
  REQUIRE(node.run.node().stop() == 0);
  words ended;
  for (unsigned s = 0; s < amount.shards; ++s)
    if (const auto at = position(s); at > 0)
      ended.push_back(partition(s) + " ends at offset 0, before position " + std::to_string(at) +
                      ": the topic was made anew or has lost its end, and nothing says where to "
                      "go on (docs/operations.md, \"When something is lost\")");
  troupe::testing::make_anew(topic, amount.shards);
  node.run.node().start();
  check_unhealthy(node, ended);
  REQUIRE(node.run.node().stop() == 0);
  node.sql("update position set next = 0 where topic = 'market'");
  node.run.node().start();
  await_health(node);
  const auto received = node.run.received();
  const auto sent = node.run.sent();
  node.run.send(240, 260);
  wait_until("the new records", 60s, [&] {
    return node.count("select sum(next) from position where topic = 'market'") ==
           node.run.sent() - sent;
  });
  CHECK(node.run.received() > received);
}
