#include <doctest/doctest.h>
#include <signal.h>

#include <set>

#include "tests/chaos/faulty_cluster.hpp"
#include "tests/chaos/market_check.hpp"
#include "tests/chaos/questions.hpp"
#include "tests/support/services.hpp"

using namespace troupe::test;
using namespace std::chrono_literals;

namespace {

using nlohmann::json;

constexpr market_run::records amount{12, 4000, 3};

/// `{"0": 3, ...}`: the epoch of each shard.
json epochs_of(const faulty_cluster& cluster) {
  return json::parse(cluster.sql("select json_object_agg(id, epoch) from shard"));
}

/// Lets a node go on that was stopped and no longer owns anything. What it has been asked meanwhile
/// it refuses, or answers by way of those that own now: never from what it remembers.
void wake_zombie(const faulty_cluster& cluster, questions& asked, node_process& zombie,
                 const std::string& old_leader) {
  for (int account = 0; account < 40; ++account)
    asked.put({{"verb", "show"}, {"entity", "savings/account-" + std::to_string(account)}});
  asked.put({{"verb", "leader"}});
  asked.wait_for_arrival();
  const auto epochs = epochs_of(cluster);
  zombie.signal(SIGCONT);
  auto answers = asked.answers();
  const auto leader = answers.back();
  answers.pop_back();
  for (const auto& said : answers) {
    CAPTURE(said.dump());
    if (said.is_null() || said.contains("error")) continue;
    CHECK(said.at("epoch") >= epochs.at(said.at("shard").dump()));
  }
  CAPTURE(leader.dump());
  CHECK((leader.is_null() || leader.contains("error") || leader.value("stale", false) ||
         leader.at("leader") != old_leader));
}

}  // namespace

TEST_CASE("three nodes share the shards and give what one gives") {
  faulty_cluster cluster(1, amount);
  cluster.check([&](steady_load& load) {
    cluster.settle();
    load.pass(10);
  });
}

TEST_CASE("kill -9 of any node, and of the leader, changes nothing in tables, topics and feeds") {
  constexpr int kills = 24;
  faulty_cluster cluster(20131008, amount);
  cluster.check([&](steady_load& load) {
    for (int i = 0; i < kills; ++i) {
      load.pass(static_cast<int>(cluster.random() % 4));
      const int victim = cluster.random() % 2 == 0 ? cluster.leader() : cluster.any_node();
      REQUIRE(cluster.run.node(victim).running());
      cluster.run.node(victim).kill();
      if (cluster.random() % 2 == 0) cluster.wait_for_heirs(victim);
      cluster.run.node(victim).start();
    }
  });
  CHECK_FALSE(cluster.logged("declares_dead").empty());
}

TEST_CASE("two nodes at once") {
  faulty_cluster cluster(3, amount);
  cluster.check([&](steady_load& load) {
    for (int time = 0; time < 3; ++time) {
      load.pass(5);
      const auto victims = cluster.some_nodes(2);
      for (const int n : victims) cluster.run.node(n).kill();
      for (const int n : victims) cluster.wait_for_heirs(n);
      for (const int n : victims) cluster.run.node(n).start();
    }
  });
}

TEST_CASE("a node that is stopped beyond all patience and then goes on does no harm, and rejoins") {
  faulty_cluster cluster(4, amount);
  cluster.check([&](steady_load&) {
    for (const bool leads : {true, false}) {
      cluster.settle();
      const auto leader = cluster.leader();
      const int victim = leads ? leader : cluster.any_node();
      questions asked(cluster.run.folder(), victim);
      const faulty_cluster::death_watch death(cluster, victim);
      cluster.run.node(victim).signal(SIGSTOP);
      death.wait();
      cluster.wait_for_heirs(victim);
      if (leads)  // The other one wakes up in the belief that its lease is still good.
        wait_until("the end of its lease", 60s,
                   [&] { return cluster.row_of(victim, "alive_until < now()") == "t"; });
      wake_zombie(cluster, asked, cluster.run.node(victim),
                  victim == leader ? cluster.id_of(victim) : std::string());
      wait_until("its return", 20s, [&] { return cluster.row_of(victim, "state") == "live"; });
    }
  });
}

TEST_CASE("a rolling restart under load changes nothing, and no living node is declared dead") {
  faulty_cluster cluster(5, amount);
  std::set<std::string> left;
  cluster.check([&](steady_load&) {
    cluster.settle();
    for (int n = 1; n <= amount.nodes; ++n) {
      const auto others = cluster.lives_of_all_but(n);
      left.insert("incarnation=" + cluster.row_of(n, "incarnation"));
      CHECK(cluster.run.node(n).stop() == 0);
      CHECK(cluster.row_of(n, "state") == "left");
      cluster.run.node(n).start();
      cluster.settle();
      CHECK(cluster.lives_of_all_but(n) == others);
    }
  });
  // Who has not read yet that a node has left may take its broken link for its death. Its row still
  // says that it has left, and it does not come back.
  for (const auto& line : cluster.logged("declares_dead")) {
    const auto at = line.find("incarnation=");
    CHECK_MESSAGE(left.contains(line.substr(at, line.find(' ', at) - at)), line);
  }
}

TEST_CASE("PostgreSQL, then Kafka, killed and restarted under three nodes") {
  faulty_cluster cluster(6, amount);
  cluster.check([&](steady_load& load) {
    cluster.settle();
    services("kill postgres");
    services("start postgres");
    load.pass(20);
    services("stop kafka");
    services("start kafka");
  });
}

TEST_CASE("while PostgreSQL is away no node takes in more than it may hold") {
  constexpr std::int64_t growth_max = 64 << 20;
  faulty_cluster cluster(7, {12, 0, 3}, false);
  cluster.run.start();
  int each = 0;
  const auto send = [&](int count) {
    cluster.send(each, each + count);
    each += count;
  };
  const auto most = [&] {
    std::int64_t bytes = 0;
    for (int n = 1; n <= cluster.run.nodes(); ++n)
      bytes = std::max(bytes, cluster.run.node(n).memory());
    return bytes;
  };
  for (int i = 0; i < 4; ++i) send(500);
  wait_until("a beginning", 60s, [&] { return cluster.settled(); });
  const auto before = most();
  services("kill postgres");
  std::int64_t during = 0;
  while (each < 20'000) {  // Much more than is in flight at any time.
    send(500);
    during = std::max(during, most());
  }
  services("start postgres");
  std::int64_t after = 0;
  wait_until("everything committed and delivered", 120s, [&] {
    after = std::max(after, most());
    return cluster.settled();
  });
  MESSAGE("MiB of the largest node: ", before >> 20, " before, ", during >> 20, " without, ",
          after >> 20, " when it caught up");
  CHECK(during - before < growth_max);
  check_outcome(cluster.run.collect(), {12, each, 3});
  cluster.check_books();
}
