// What a shard tells its clients while Kafka does not take what it has to say.
#include <doctest/doctest.h>

#include "tests/runtime/entity/model_world.hpp"
#include "tests/support/savings_account.hpp"

using namespace troupe;
using namespace troupe::test;
using nlohmann::json;
using namespace std::chrono_literals;

namespace {

constexpr shard_id home{0}, elsewhere{1};

struct cut_off_shard {
  durable disk;
  time_point clock = from_micros(1'000'000'000);
  shard_setup setup;
  std::unique_ptr<model_world> world;

  cut_off_shard() {
    setup.things.kinds = {example::savings_kind()};
    setup.things.egress = {std::string(example::balances_topic)};
    setup.shard_of = [](const entity_id&) { return home; };
  }
  void begin() {
    world = std::make_unique<model_world>(disk, setup, clock);
    world->machine = std::make_unique<shard_machine>(home, setup, *world);
    world->machine->start();
  }
  shard_machine& machine() { return *world->machine; }
};

}  // namespace

TEST_CASE("while Kafka is away the outbox fills, then clients are refused by name; it goes on") {
  cut_off_shard s;
  s.setup.limits.outbox_max = 3;
  s.begin();
  s.world->run_all();
  s.world->kafka_away = true;
  const auto deposit = [&](std::uint32_t n) {
    s.machine().on_request({"savings", "x"}, {"deposit", {{"amount", 10}}},
                           "id-" + std::to_string(n), request_ref(n));
  };
  for (std::uint32_t n = 1; n <= 3; ++n) {
    deposit(n);
    s.world->run_all();
    CHECK(s.world->replies.at(n) ==
          json{{"balance", 10 * n}});  // Committed: it waits in the outbox.
  }
  s.machine().on_show({"savings", "x"}, request_ref(100));
  deposit(4);
  s.machine().on_channel(elsewhere, sequence(1), {"savings", "x"}, {"credit", {{"amount", 1}}});
  s.world->run_all();
  CHECK(s.world->replies.at(4)["error"] == "bridge_unavailable");
  CHECK(s.world->replies.at(100)["state"]["balance"] == 30);
  CHECK(s.world->paused);
  CHECK(s.disk.outbox[topic_target(example::balances_topic)].size() == 3);  // No unit runs.
  s.world->kafka_away = false;
  s.world->run_all();
  deposit(4);
  s.world->run_all();
  CHECK(s.world->replies.at(4) == json{{"balance", 41}});
  CHECK(!s.world->paused);
  CHECK(s.disk.out[std::string(example::balances_topic)].size() == 5);
}

TEST_CASE("a client whose request waits when the outbox fills is refused, not left waiting") {
  cut_off_shard s;
  s.setup.limits.outbox_max = 1;
  s.begin();
  s.world->run_all();
  s.world->kafka_away = true;
  s.machine().on_request({"savings", "x"}, {"deposit", {{"amount", 10}}}, "", request_ref(1));
  s.machine().on_request({"savings", "y"}, {"deposit", {{"amount", 10}}}, "late", request_ref(2));
  REQUIRE(s.world->store_reads.size() == 2);
  const auto answer_lookup = s.world->store_reads.back();
  s.world->store_reads.pop_back();
  s.world->run_all();
  CHECK(s.world->replies.at(1) == json{{"balance", 10}});
  CHECK(s.world->replies.at(2)["error"] == "bridge_unavailable");
  answer_lookup();
  s.world->run_all();
  CHECK(!s.disk.entities.contains({"savings", "y"}));
}

TEST_CASE("a shard that cannot learn what is out says that it waits for Kafka") {
  cut_off_shard s;
  s.begin();
  s.world->kafka_away = true;
  s.world->run_all();
  const auto ask = [&](std::uint32_t n) {
    s.machine().on_request({"savings", "x"}, {"show_balance", json::object()}, "", request_ref(n));
    return s.world->replies.at(n)["error"];
  };
  CHECK(ask(1) == "shard_unavailable");  // For a moment that is usual.
  s.clock += 2s;
  CHECK(ask(2) == "bridge_unavailable");
  s.world->kafka_away = false;
  s.world->run_all();
  s.machine().on_request({"savings", "x"}, {"show_balance", json::object()}, "", request_ref(3));
  s.world->run_all();
  CHECK(s.world->replies.at(3) == json{{"balance", 0}});
}

TEST_CASE("a shard that cannot be handed over before Kafka is back says so") {
  cut_off_shard s;
  s.begin();
  s.world->run_all();
  s.world->kafka_away = true;
  s.machine().on_request({"savings", "x"}, {"deposit", {{"amount", 10}}}, "", request_ref(1));
  s.world->run_all();
  s.machine().on_drain();
  const auto ask = [&](std::uint32_t n) {
    s.machine().on_request({"savings", "x"}, {"show_balance", json::object()}, "", request_ref(n));
    s.machine().on_show({"savings", "x"}, request_ref(n + 100));
    CHECK(s.world->replies.at(n)["error"] == s.world->replies.at(n + 100)["error"]);
    return s.world->replies.at(n)["error"];
  };
  CHECK(ask(2) == "shard_unavailable");  // For a moment that is usual.
  s.clock += 2s;
  CHECK(ask(3) == "bridge_unavailable");
  s.world->kafka_away = false;
  s.world->run_all();
  CHECK(s.world->drained_);
}

TEST_CASE("a shard that waits for its last commit before it is handed over does not blame Kafka") {
  cut_off_shard s;
  s.setup.shard_of = [](const entity_id& id) { return id.key == "x" ? home : elsewhere; };
  s.begin();
  s.world->run_all();
  s.machine().on_request({"savings", "x"}, {"deposit", {{"amount", 10}}}, "", request_ref(1));
  s.machine().on_request({"savings", "x"}, {"transfer", {{"amount", 1}, {"to", "y"}}}, "",
                         request_ref(2));
  s.world->run_all();
  REQUIRE(s.world->to_shards.size() == 1);
  s.machine().on_drain();
  REQUIRE_FALSE(s.world->drained_);
  s.clock += 2s;
  s.machine().on_request({"savings", "x"}, {"show_balance", json::object()}, "", request_ref(3));
  CHECK(s.world->replies.at(3)["error"] == "shard_unavailable");
}

TEST_CASE("a shard that cannot be taken says that it waits for the database") {
  cut_off_shard s;
  s.begin();
  const auto ask = [&](std::uint32_t n) {
    s.machine().on_request({"savings", "x"}, {"show_balance", json::object()}, "", request_ref(n));
    return s.world->replies.at(n)["error"];
  };
  CHECK(ask(1) == "shard_unavailable");  // For a moment that is usual.
  s.world->without_store = true;         // Unless that is why it begins anew.
  CHECK(ask(2) == "store_unavailable");
  s.world->without_store = false;
  s.clock += 2s;
  CHECK(ask(3) == "store_unavailable");
}

TEST_CASE("a lease that could not be renewed is the database's fault, a declared death is not") {
  for (const bool for_ever : {false, true}) {
    cut_off_shard s;
    s.begin();
    s.world->run_all();
    s.machine().on_lease_lost(for_ever);
    REQUIRE(s.world->failure);
    CHECK(s.world->failure->what ==
          (for_ever ? shard_failure::kind::lease : shard_failure::kind::store));
  }
}
