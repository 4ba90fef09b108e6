#include <doctest/doctest.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <random>

#include "app/client.hpp"
#include "runtime/base/partition.hpp"
#include "runtime/bridge/history_reader.hpp"
#include "runtime/bridge/kafka_producer.hpp"
#include "tests/support/node_process.hpp"
#include "tests/support/services.hpp"

using namespace troupe;
using namespace troupe::test;
using nlohmann::json;

namespace {

constexpr int accounts = 20;
constexpr std::uint32_t shards = 4;

std::string account(std::uint64_t n) {
  return "account-" + std::to_string(n % accounts);
}

/// A node with savings accounts, its commands and what they lead to.
class savings_bank {
 public:
  explicit savings_bank(const std::string& cluster_extra = "")
      : folder_(cluster_extra, shards), node_({SAVINGS_NODE, "--config", folder_.node_config()}) {
    if (const auto migrated = run_troupe({"migrate", "--config", folder_.node_config()});
        migrated.exit_code != 0)
      throw std::runtime_error(migrated.output);
    kafka_.brokers = std::getenv("TROUPE_TEST_BROKERS");
    kafka_.topic_prefix = folder_.prefix();
    node_.start();
    bridge::history_reader log(kafka_);
    wait_until("topics", std::chrono::seconds(60),
               [&] { return log.range("dead-letter", 3, std::chrono::seconds(1)).has_value(); });
  }

  node_process& node() { return node_; }
  std::string sql(const std::string& query) const { return folder_.database().run(query); }
  const bridge::kafka_options& kafka() const { return kafka_; }

  void send(const std::vector<std::pair<std::string, std::string>>& keyed) {
    bridge::producer_options options;
    options.kafka = kafka_;
    bridge::kafka_producer producer(options);
    for (const auto& [key, payload] : keyed)
      producer.send("savings.commands", {key, payload, std::nullopt, std::nullopt});
    REQUIRE(producer.flush(std::chrono::seconds(30)));
    sent_ += static_cast<std::int64_t>(keyed.size());
  }

  /// All commands are committed, all that they led to has arrived.
  void settle() {
    wait_until("all commands and what follows from them", std::chrono::seconds(60), [&] {
      return sql("select coalesce(sum(next), 0) from position") == std::to_string(sent_) &&
             sql("select count(*) from outbox") == "0" && sql("select count(*) from timer") == "0";
    });
  }

  /// Everything has arrived in Kafka.
  void settle_egress() {
    wait_until("an empty outbox", std::chrono::seconds(60),
               [&] { return sql("select count(*) from outbox") == "0"; });
  }

  std::int64_t total() const {
    return std::stoll(sql(
        "select coalesce(sum((state->>'balance')::int8), 0) from entity where kind = 'savings'"));
  }

  /// Whether the node has written of an event.
  bool told(const std::string& event) const {
    std::ifstream in(folder_.log_file());
    const std::string log{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    return log.find(' ' + event + ' ') != std::string::npos;
  }

  /// One request to the node; throws app::client_error when there is no answer.
  json ask_once(const json& request) {
    app::settings s;
    s.cluster.name = "test";
    s.node.id = "node-1";
    s.node.admin.port = static_cast<std::uint16_t>(folder_.admin_port());
    return app::client(s).ask(request);
  }

  /// One request to the live node, repeated until it answers.
  json ask(const json& request) {
    json answer;
    wait_until("an answer", std::chrono::seconds(30), [&] {
      try {
        answer = ask_once(request);
      } catch (const app::client_error&) {
        return false;
      }
      return !answer.value("error", "").ends_with("_unavailable");
    });
    return answer;
  }

 private:
  cluster_folder folder_;
  node_process node_;
  bridge::kafka_options kafka_;
  std::int64_t sent_ = 0;
};

std::string command(const std::string& to, const std::string& type, json body,
                    const std::string& id = "") {
  return json{{"to", "savings/" + to}, {"type", type}, {"id", id}, {"body", std::move(body)}}
      .dump();
}

}  // namespace

TEST_CASE("money moves between shards exactly once while the node is killed again and again") {
  savings_bank bank;
  std::mt19937_64 random(99);
  std::vector<std::pair<std::string, std::string>> opening;
  for (int i = 0; i < accounts; ++i)
    opening.emplace_back(account(i), command(account(i), "deposit", {{"amount", 1000}}));
  bank.send(opening);
  for (int round = 0; round < 8; ++round) {
    std::vector<std::pair<std::string, std::string>> transfers;
    for (int i = 0; i < 100; ++i) {
      const auto from = account(random());
      transfers.emplace_back(
          from,
          command(from, "transfer", {{"amount", 1 + random() % 50}, {"to", account(random())}}));
    }
    bank.send(transfers);
    bank.node().kill();
    bank.node().start();
  }
  bank.settle();
  CHECK(bank.total() == accounts * 1000);
  CHECK(bank.sql("select count(*) from channel where applied > 0") != "0");
}

TEST_CASE("a command with an id has one effect however often and by whatever way it comes") {
  savings_bank bank;
  const auto deposit = command("x", "deposit", {{"amount", 70}}, "only-once");
  bank.send({{"x", deposit}, {"x", deposit}});
  bank.settle();
  const json request{{"verb", "ask"},
                     {"entity", "savings/x"},
                     {"type", "deposit"},
                     {"body", {{"amount", 70}}},
                     {"id", "only-once"}};
  CHECK(bank.ask(request) == json{{"balance", 70}});
  bank.node().kill();
  bank.node().start();
  CHECK(bank.ask(request) == json{{"balance", 70}});
  CHECK(bank.total() == 70);
}

TEST_CASE(
    "while the database is away clients are told so by name; afterwards the same id goes on") {
  savings_bank bank;
  const auto deposit = [](const char* id) {
    return json{{"verb", "ask"},
                {"entity", "savings/x"},
                {"type", "deposit"},
                {"body", {{"amount", 70}}},
                {"id", id}};
  };
  CHECK(bank.ask(deposit("first")) == json{{"balance", 70}});
  services("kill postgres");
  wait_until("the refusal", std::chrono::seconds(20), [&] {
    return bank.ask_once(deposit("second")).value("error", "") == "store_unavailable";
  });
  services("start postgres");
  CHECK(bank.ask(deposit("second")) == json{{"balance", 140}});
  CHECK(bank.node().running());
  CHECK(bank.total() == 140);
}

TEST_CASE("while the database is away for longer than a lease every shard says so and goes on") {
  savings_bank bank(R"("lease": {"ttl_ms": 3000, "renewal_ms": 500, "margin_ms": 500})");
  std::map<std::uint32_t, std::string> key_in;
  for (int n = 0; key_in.size() < shards; ++n)
    key_in.emplace(partition_of("key-" + std::to_string(n), shards), "key-" + std::to_string(n));
  const auto deposit = [&](std::uint32_t shard, const std::string& id) {
    return json{{"verb", "ask"},
                {"entity", "savings/" + key_in[shard]},
                {"type", "deposit"},
                {"body", {{"amount", 10}}},
                {"id", id}};
  };
  for (std::uint32_t shard = 0; shard < shards; ++shard)
    CHECK(bank.ask(deposit(shard, "first-" + std::to_string(shard))) == json{{"balance", 10}});
  std::map<std::string, int> names;
  const auto ask_shards = [&](std::uint32_t first, std::uint32_t last) {
    for (auto shard = first; shard <= last; ++shard) {
      const auto second = deposit(shard, "second-" + std::to_string(shard));
      const json show{{"verb", "show"}, {"entity", second["entity"]}};
      for (const auto& request : {show, second})
        ++names[bank.ask_once(request).value("error", "none")];
    }
  };
  services("kill postgres");
  const auto first_second = std::chrono::steady_clock::now() + std::chrono::seconds(1);
  while (std::chrono::steady_clock::now() < first_second) ask_shards(0, 1);
  names.clear();
  wait_until("the lease's end", std::chrono::seconds(20), [&] {
    ask_shards(0, 1);
    return bank.told("lease_lost");
  });
  for (int i = 0; i < 50; ++i) ask_shards(0, 3);  // The last two are asked for the first time.
  const auto leader = bank.ask_once({{"verb", "leader"}});
  CHECK_MESSAGE((leader.contains("error") || leader.value("stale", false)), leader.dump());
  CHECK(bank.ask_once({{"verb", "status"}})["stale"] == true);
  CHECK(bank.ask_once({{"verb", "shards"}})[0]["stale"] == true);
  const auto problems = [&] { return bank.ask_once({{"verb", "health"}}).at("problems").dump(); };
  wait_until("the alert", std::chrono::seconds(30), [&] {
    ask_shards(0, 3);
    return problems().find("PostgreSQL has been out of reach for") != std::string::npos;
  });
  INFO(json(names).dump());
  CHECK(names.size() == 1);
  CHECK(names.contains("store_unavailable"));
  services("start postgres");
  for (std::uint32_t shard = 0; shard < shards; ++shard)
    CHECK(bank.ask(deposit(shard, "second-" + std::to_string(shard))) == json{{"balance", 20}});
  CHECK(problems() == "[]");
  CHECK_FALSE(bank.ask_once({{"verb", "status"}}).contains("stale"));
  CHECK(bank.node().running());
}

TEST_CASE("while Kafka is away and the outbox is full clients are told so by name") {
  constexpr int outbox_max = 5;
  savings_bank bank(R"("egress": {"outbox_max": 5})");
  const auto deposit = [](int n) {
    return json{{"verb", "ask"},
                {"entity", "savings/x"},
                {"type", "deposit"},
                {"body", {{"amount", 10}}},
                {"id", "deposit-" + std::to_string(n)}};
  };
  CHECK(bank.ask(deposit(0)) == json{{"balance", 10}});
  services("kill kafka");
  int accepted = 0;
  wait_until("the refusal", std::chrono::seconds(60), [&] {
    const auto answer = bank.ask_once(deposit(accepted + 1));
    if (answer.value("error", "") == "bridge_unavailable") return true;
    CHECK(answer == json{{"balance", 10 * (++accepted + 1)}});
    return false;
  });
  CHECK(accepted <= outbox_max + 1);  // The first record may not have been acknowledged yet.
  CHECK(accepted >= outbox_max - 1);
  CHECK(std::stoi(bank.sql("select count(*) from outbox")) <= outbox_max);
  CHECK(bank.ask_once({{"verb", "show"}, {"entity", "savings/x"}})["state"]["balance"] ==
        10 * (accepted + 1));
  const auto problems = [&] { return bank.ask_once({{"verb", "health"}}).at("problems").dump(); };
  wait_until("the alert", std::chrono::seconds(30),
             [&] { return problems().find("Kafka has been out of reach") != std::string::npos; });
  services("start kafka");
  wait_until("its end, though no record comes", std::chrono::seconds(60),
             [&] { return problems() == "[]"; });
  CHECK(bank.ask(deposit(accepted + 1)) == json{{"balance", 10 * (accepted + 2)}});
  CHECK(bank.node().running());
  bank.settle_egress();
}

TEST_CASE("a timer set before a crash fires after it, once") {
  savings_bank bank;
  bank.send({{"x", command("x", "promise_bonus", {{"amount", 5}, {"delay_ms", 1500}})}});
  wait_until("the timer's row", std::chrono::seconds(20),
             [&] { return bank.sql("select count(*) from timer") == "1"; });
  bank.node().kill();
  bank.node().start();
  bank.settle();
  CHECK(bank.sql("select state->>'bonuses' from entity where key = 'x'") == "1");
  CHECK(bank.total() == 5);
}

TEST_CASE("bad commands go to the dead-letter topic, refusals are answers") {
  savings_bank bank;
  bank.send({{"x", "{"},
             {"y", command("x", "deposit", {{"amount", 1}})},
             {"x", command("x", "deposit", {{"amount", -4}})}});
  bank.settle();
  bridge::history_reader log(bank.kafka());
  std::vector<std::string> reasons;
  for (std::uint32_t p = 0; p < 4; ++p) {
    const auto range = log.range("dead-letter", p, std::chrono::seconds(5));
    REQUIRE(range);
    for (auto at = range->begin; at < range->end;) {
      const auto batch = log.read("dead-letter", p, at, {});
      for (const auto& r : batch.records) reasons.push_back(json::parse(r.payload).at("reason"));
      at = batch.next;
    }
  }
  std::ranges::sort(reasons);
  CHECK(reasons == std::vector<std::string>{"malformed_json", "wrong_key"});
  CHECK(bank.ask({{"verb", "ask"},
                  {"entity", "savings/x"},
                  {"type", "withdraw"},
                  {"body", {{"amount", 9}}}})["error"] == "insufficient_funds");
  CHECK(bank.ask({{"verb", "ask"}, {"entity", "nonsense/x"}, {"type", "t"}})["error"] ==
        "unknown_kind");
  CHECK(bank.ask({{"verb", "dance"}})["error"] == "unknown_verb");
}
