#include <doctest/doctest.h>

#include "tests/runtime/entity/model_world.hpp"

using namespace troupe;
using namespace troupe::test;
using nlohmann::json;

namespace {

/// Calls the service `outside`, and keeps its answers.
class caller final : public entity {
 public:
  void load(std::string_view state, int) override { answers_ = json::parse(state); }
  std::string save() const override { return answers_.dump(); }
  void handle(const message& what, const context&, effects& out) override {
    if (what.type == "ask") return out.call("outside", "q1", what.body);
    if (what.body.at("answer").is_null()) return out.unchanged();
    answers_.push_back(what.body);
  }

 private:
  json answers_ = json::array();
};

const entity_id self{"caller", "a"};

/// A shard with callers, live.
struct rig {
  durable disk;
  time_point clock = from_micros(1'000'000'000);
  shard_setup setup;
  std::unique_ptr<model_world> world;

  rig() {
    setup.things.kinds = {
        {"caller", 1, false, [](const entity_id&) { return std::make_unique<caller>(); }}};
    setup.things.egress = {"dead-letter"};
    setup.shard_of = [](const entity_id&) { return shard_id(0); };
    world = std::make_unique<model_world>(disk, setup, clock);
    world->machine = std::make_unique<shard_machine>(shard_id(0), setup, *world);
    world->machine->start();
    world->run_all();
  }
  shard_machine& machine() { return *world->machine; }
  void ask() { machine().on_request(self, {"ask", {{"x", 1}}}, "", request_ref(1)); }
};

}  // namespace

TEST_CASE("a service is called after the commit; its answer is a unit of its own") {
  rig r;
  r.ask();
  const auto let_happen = [](auto& queue) {
    const auto next = std::move(queue.front());
    queue.pop_front();
    next();
  };
  REQUIRE(r.world->store_reads.size() == 1);
  let_happen(r.world->store_reads);  // It is loaded ...
  while (!r.world->entity_calls.empty()) let_happen(r.world->entity_calls);
  REQUIRE(r.world->store_calls.size() == 1);  // ... and the commit is on its way.
  CHECK(r.world->calls.empty());
  r.world->run_all();
  REQUIRE(r.world->calls.size() == 1);
  const auto [from, call] = r.world->calls[0];
  CHECK(from == self);
  CHECK(call.service == "outside");
  CHECK(call.request == json{{"x", 1}});
  r.machine().on_call_answered(from, call, {{"y", 2}});
  r.world->run_all();
  const json wanted{{"service", "outside"}, {"id", "q1"}, {"answer", {{"y", 2}}}};
  CHECK(json::parse(r.disk.entities.at(self).state) == json::array({wanted}));
}

TEST_CASE("an answer that changes nothing leaves nothing that waits for a commit") {
  rig r;
  r.ask();
  r.world->run_all();
  REQUIRE(r.world->calls.size() == 1);
  const auto [from, call] = r.world->calls[0];
  r.machine().on_call_answered(from, call, {{"y", 2}});
  CHECK(r.machine().progress().uncommitted_since == r.clock);
  r.world->run_all();
  r.machine().on_call_answered(from, call, nullptr);
  r.world->run_all();
  CHECK(r.machine().progress().uncommitted_since == time_point{});
}

TEST_CASE("nobody is called for a commit that failed, or without a lease") {
  for (const bool lease : {true, false}) {
    rig r;
    r.world->lease = lease;
    if (lease) r.world->next_commit = model_world::fault::lost_before;
    r.ask();
    r.world->run_all();
    CHECK(r.world->calls.empty());
    CHECK(r.world->failure.has_value() == lease);
  }
}
