// What an id is worth: one effect, one answer, for one command of one entity.
#include <doctest/doctest.h>

#include "runtime/codec/text.hpp"
#include "runtime/entity/command_decoder.hpp"
#include "tests/runtime/entity/model_world.hpp"
#include "tests/support/savings_account.hpp"

using namespace troupe;
using namespace troupe::test;
using nlohmann::json;

namespace {

/// One shard with a log of commands, live.
struct rig {
  durable disk;
  time_point clock = from_micros(1'000'000'000);
  shard_setup setup;
  std::unique_ptr<model_world> world;

  explicit rig(durable from = {}) : disk(std::move(from)) {
    setup.things.kinds = {example::savings_kind()};
    setup.things.ingress = {{"commands", "savings", make_command_decoder}};
    setup.things.egress = {std::string(example::balances_topic), std::string(dead_letter_topic)};
    setup.shard_of = [](const entity_id&) { return shard_id(0); };
    begin();
  }
  /// A new life has only the store's memory.
  void begin() {
    world = std::make_unique<model_world>(disk, setup, clock);
    world->machine = std::make_unique<shard_machine>(shard_id(0), setup, *world);
    world->machine->start();
    world->run_all();
  }
  json ask(const std::string& key, const std::string& type, const std::string& id, int amount = 5) {
    const request_ref from(++asked);
    world->machine->on_request({"savings", key}, {type, {{"amount", amount}}}, id, from);
    world->run_all();
    return world->replies[from.value()];
  }
  void record(const std::string& key, const std::string& type, const std::string& id) {
    disk.in["commands"].push_back(
        key + '|' +
        json{{"to", "savings/" + key}, {"type", type}, {"id", id}, {"body", {{"amount", 5}}}}
            .dump());
    world->feed(0, 100);
    world->run_all();
  }
  json balance(const std::string& key) {
    const auto it = disk.entities.find({"savings", key});
    return it == disk.entities.end() ? json() : json::parse(it->second.state).at("balance");
  }
  std::uint64_t asked = 0;
};

const json five = {{"balance", 5}};

}  // namespace

TEST_CASE("a repeated request has one effect and one answer") {
  rig r;
  r.world->machine->on_request({"savings", "x"}, {"deposit", {{"amount", 5}}}, "r1",
                               request_ref(++r.asked));
  CHECK(r.ask("x", "deposit", "r1") == five);
  CHECK(r.world->replies.at(1) == five);
  r.begin();
  CHECK(r.ask("x", "deposit", "r1") == five);
  r.record("x", "deposit", "r1");
  CHECK(r.balance("x") == 5);
  CHECK(r.disk.out["dead-letter"].empty());
}

TEST_CASE("an id that came with something else is refused by name, and nothing is done") {
  rig r;
  CHECK(r.ask("x", "deposit", "r1") == five);
  const auto check_refused = [&r] {
    const auto other = r.ask("y", "deposit", "r1");
    CHECK(other["error"] == "id_reused");
    CHECK(other["detail"] ==
          "the id r1 came with savings/x deposit before, now it comes with savings/y deposit, "
          "which is not done; every command needs an id of its own");
    CHECK(r.ask("x", "withdraw", "r1")["error"] == "id_reused");
    const auto more = r.ask("x", "deposit", "r1", 6);
    CHECK(more["error"] == "id_reused");
    CHECK(more["detail"] ==
          "the id r1 came with savings/x deposit of another content before, now it comes with "
          "savings/x deposit, which is not done; every command needs an id of its own");
    CHECK(r.balance("x") == 5);
    CHECK(r.balance("y").is_null());
  };
  check_refused();
  r.begin();
  check_refused();
  CHECK(r.ask("y", "deposit", "r2") == five);
}

TEST_CASE("a record whose id came with something else goes to the dead letters") {
  rig r;
  CHECK(r.ask("x", "deposit", "r1") == five);
  r.record("y", "deposit", "r1");
  CHECK(r.balance("y").is_null());
  REQUIRE(r.disk.out["dead-letter"].size() == 1);
  const auto letter = json::parse(r.disk.out["dead-letter"][0].second);
  CHECK(letter["reason"] == "id_reused");
  CHECK(letter["key"] == "y");
  CHECK(r.disk.positions["commands"] == position(1));
}

TEST_CASE("an answer that was kept without what was asked is given to whoever has its id") {
  durable old;
  old.answers["r1"] = R"({"balance":7})";
  rig r(old);
  CHECK(r.ask("x", "deposit", "r1") == json{{"balance", 7}});
}
