#include <doctest/doctest.h>
#include <signal.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <random>

#include "runtime/bridge/kafka_producer.hpp"
#include "tests/chaos/market_run.hpp"
#include "tests/support/services.hpp"

using namespace troupe::test;
using namespace std::chrono_literals;

namespace {

constexpr market_run::records amount{12, 4000, 3};
constexpr int accounts = 24;

/// TROUPE_CHAOS_SEED: other moments and victims than usual.
std::uint64_t other_seed() {
  const char* text = std::getenv("TROUPE_CHAOS_SEED");
  return text == nullptr ? 0 : std::stoull(text) * 1000;
}

/// What an undisturbed cluster gives; made once.
const market_outcome& undisturbed() {
  static const market_outcome outcome = [] {
    market_run run(amount, {MIXED_NODE});
    return run.play([](double) {}, 120s);
  }();
  return outcome;
}

/// Three nodes with market data and, all the while, transfers between accounts of all shards.
class faulty_cluster {
 public:
  explicit faulty_cluster(std::uint64_t seed)
      : random(seed + other_seed()), run(amount, {MIXED_NODE}) {
    kafka_.brokers = std::getenv("TROUPE_TEST_BROKERS");
    kafka_.topic_prefix = run.folder().prefix();
  }

  /// Calls `fault` between the parts of the load; afterwards nothing may be missing or doubled.
  void check(const std::function<void(double)>& fault) {
    bool opened = false;
    const auto outcome = run.play(
        [&](double part) {
          if (!std::exchange(opened, true)) open_accounts();
          transfer(25);
          fault(part);
        },
        240s);
    const auto& expected = undisturbed();
    for (const auto& [view, rows] : expected.tables) {
      CAPTURE(view);
      CHECK(outcome.tables.at(view) == rows);
    }
    for (const auto& [topic, records] : expected.egress) {
      CAPTURE(topic);
      CHECK(outcome.egress.at(topic).size() == records.size());
      CHECK((outcome.egress.at(topic) == records));
    }
    CHECK(outcome.egress_defects.empty());
    CHECK(outcome.received + outcome.dead_letters == amount.symbols * amount.each);
    wait_until("all transfers", 60s, [&] {
      return sql("select coalesce(sum(next), 0) from position where topic = 'savings.commands'") ==
                 std::to_string(commands_) &&
             sql("select count(*) from outbox") == "0";
    });
    CHECK(sql("select sum((state->>'balance')::int8) from entity where kind = 'savings'") ==
          std::to_string(accounts * 1000));
    CHECK(sql("select count(*) > 20 from channel where applied > 0") == "t");
  }

  std::string sql(const std::string& query) const { return run.folder().database().run(query); }
  int any_node() { return 1 + static_cast<int>(random() % amount.nodes); }
  int leader() const {
    const auto id =
        sql("select coalesce(max(n.id), '') from leader l join node n using (incarnation) where "
            "n.state "
            "= 'live'");
    return id.empty() ? 1 : id.back() - '0';
  }
  /// Nothing of a node's is its own any more.
  void wait_for_heirs(int node) const {
    wait_until("other owners", 30s, [&] {
      return sql("select count(*) from shard where owner = 'node-" + std::to_string(node) + "'") ==
             "0";
    });
  }
  /// All shards have a living owner, spread evenly.
  void settle() {
    wait_until("a settled cluster", 30s, [&] {
      return sql("select count(*) = 3 and min(c) >= 2 from (select count(*) c from shard s join "
                 "node "
                 "n on n.incarnation = s.incarnation and n.state = 'live' where s.owner = "
                 "s.assigned "
                 "group by s.owner) x") == "t";
    });
  }

  std::mt19937_64 random;
  market_run run;

 private:
  void send(const std::string& account, const std::string& type, nlohmann::json body) {
    producer().send(
        "savings.commands",
        {account,
         nlohmann::json{{"to", "savings/" + account}, {"type", type}, {"body", body}}.dump(),
         std::nullopt, std::nullopt});
    ++commands_;
  }
  troupe::bridge::kafka_producer& producer() {
    if (!producer_) {
      troupe::bridge::producer_options options;
      options.kafka = kafka_;
      producer_ = std::make_unique<troupe::bridge::kafka_producer>(options);
    }
    return *producer_;
  }
  static std::string account(std::uint64_t n) { return "account-" + std::to_string(n % accounts); }
  void open_accounts() {
    for (int i = 0; i < accounts; ++i) send(account(i), "deposit", {{"amount", 1000}});
    REQUIRE(producer().flush(60s));
  }
  void transfer(int count) {
    for (int i = 0; i < count; ++i)
      send(account(random()), "transfer",
           {{"amount", 1 + random() % 50}, {"to", account(random())}});
    REQUIRE(producer().flush(60s));
  }

  troupe::bridge::kafka_options kafka_;
  std::unique_ptr<troupe::bridge::kafka_producer> producer_;
  std::int64_t commands_ = 0;
};

}  // namespace

TEST_CASE("three nodes share the shards and give what one gives") {
  faulty_cluster cluster(1);
  cluster.check([&](double part) {
    if (part == 0.5) cluster.settle();
  });
}

TEST_CASE("kill -9 of any node, and of the leader, changes nothing") {
  faulty_cluster cluster(20131008);
  int kills = 0;
  cluster.check([&](double) {
    if (cluster.random() % 3 == 0) return;
    const int victim = cluster.random() % 2 == 0 ? cluster.leader() : cluster.any_node();
    cluster.run.node(victim).kill();
    ++kills;
    if (cluster.random() % 2 == 0) cluster.wait_for_heirs(victim);
    cluster.run.node(victim).start();
  });
  CHECK(kills >= 10);
}

TEST_CASE("two nodes at once") {
  faulty_cluster cluster(3);
  cluster.check([&](double part) {
    if (part != 0.25 && part != 0.5 && part != 0.75) return;
    const int spared = cluster.any_node();
    for (int n = 1; n <= amount.nodes; ++n)
      if (n != spared) cluster.run.node(n).kill();
    for (int n = 1; n <= amount.nodes; ++n)
      if (n != spared) cluster.wait_for_heirs(n);
    for (int n = 1; n <= amount.nodes; ++n)
      if (n != spared) cluster.run.node(n).start();
  });
}

TEST_CASE("a node that is stopped beyond all patience and then goes on does no harm, and rejoins") {
  faulty_cluster cluster(4);
  cluster.check([&](double part) {
    if (part != 0.25 && part != 0.5) return;
    cluster.settle();
    const int victim = part == 0.25 ? cluster.leader() : cluster.any_node();
    const auto id = "node-" + std::to_string(victim);
    cluster.run.node(victim).signal(SIGSTOP);
    wait_until("its death", 20s, [&] {
      return cluster.sql("select state from node where id = '" + id + "'") == "dead";
    });
    cluster.wait_for_heirs(victim);
    cluster.run.node(victim).signal(SIGCONT);
    wait_until("its return", 20s, [&] {
      return cluster.sql("select state from node where id = '" + id + "'") == "live";
    });
  });
}

TEST_CASE("a rolling restart under load changes nothing, and no node is declared dead") {
  faulty_cluster cluster(5);
  cluster.check([&](double part) {
    if (part != 0.25 && part != 0.5 && part != 0.75) return;
    cluster.settle();
    const int n = static_cast<int>(part * 4);
    CHECK(cluster.run.node(n).stop() == 0);
    CHECK(cluster.sql("select state from node where id = 'node-" + std::to_string(n) + "'") ==
          "left");
    cluster.run.node(n).start();
  });
}

TEST_CASE("PostgreSQL, then Kafka, killed and restarted under three nodes") {
  faulty_cluster cluster(6);
  cluster.check([&](double part) {
    if (part == 0.25) {
      services("kill postgres");
      services("start postgres");
    }
    if (part == 0.6) {
      services("stop kafka");
      services("start kafka");
    }
  });
}
