// A shard whose wall clock is set back goes on as before: intervals are not longer for it.
#include <doctest/doctest.h>

#include "runtime/codec/text.hpp"
#include "tests/runtime/entity/ear.hpp"
#include "tests/runtime/entity/model_world.hpp"
#include "tests/runtime/entity/tally.hpp"
#include "tests/support/savings_account.hpp"

using namespace troupe;
using namespace troupe::test;
using nlohmann::json;
using namespace std::chrono_literals;

namespace {

constexpr shard_id home{0}, elsewhere{1};

struct shard_in_time {
  durable disk;
  time_point clock = from_micros(1'000'000'000'000);
  shard_setup setup;
  std::unique_ptr<model_world> world;

  shard_in_time() {
    setup.things.kinds = {tally_kind(), ear_kind(), example::savings_kind()};
    setup.things.ingress = {numbers_topic()};
    setup.things.egress = {"fifths", "heard", std::string(example::balances_topic),
                           std::string(dead_letter_topic)};
    setup.shard_of = [](const entity_id& id) {
      return id.key.starts_with("far") ? elsewhere : home;
    };
    world = std::make_unique<model_world>(disk, setup, clock);
    world->machine = std::make_unique<shard_machine>(home, setup, *world);
    machine().start();
    world->run_all();
  }
  shard_machine& machine() { return *world->machine; }
  void tell(const entity_id& to, const std::string& type, json body) {
    machine().on_request(to, {type, std::move(body)}, "", request_ref(1));
    world->run_all();
  }
  void number(std::int64_t n) {
    disk.in["numbers"].push_back("a|" + std::to_string(n));
    world->feed(0, 1);
    world->run_all();
  }
  void set_back() {
    clock -= 10min;
    machine().on_wake();
    world->run_all();
  }
  void pass(std::chrono::milliseconds span) {
    clock += span;
    machine().on_wake();
    world->run_all();
  }
  json heard() const {
    const auto it = disk.entities.find({"ear", "x"});
    return it == disk.entities.end() ? json::object() : json::parse(it->second.state)["heard"]["a"];
  }
};

}  // namespace

TEST_CASE("a clock that is set back does not put checkpoints off") {
  shard_in_time s;
  s.number(1);
  s.pass(2s);
  REQUIRE(s.disk.positions["numbers"] == position(1));
  s.set_back();
  s.number(2);
  s.pass(s.setup.limits.checkpoint_interval);
  CHECK(s.disk.positions["numbers"] == position(2));
  s.pass(2s);
  s.set_back();
  s.number(5);  // Has something to say.
  s.pass(s.setup.limits.output_delay);
  CHECK(s.disk.out["fifths"].size() == 1);
}

TEST_CASE("a clock that is set back does not put off what is sent again to other shards") {
  shard_in_time s;
  s.tell({"savings", "x"}, "deposit", {{"amount", 10}});
  s.tell({"savings", "x"}, "transfer", {{"amount", 1}, {"to", "far"}});
  s.pass(2s);
  s.world->to_shards.clear();
  s.set_back();
  s.world->to_shards.clear();
  s.pass(s.setup.limits.channel_resend);
  CHECK(s.world->to_shards.size() == 1);
}

TEST_CASE("a clock that is set back does not silence feeds") {
  shard_in_time s;
  s.tell({"ear", "x"}, "follow", {{"tally", "a"}, {"from", 0}});
  s.pass(2s);
  s.set_back();
  s.clock += s.setup.limits.feeds.heartbeat;
  s.machine().on_wake();
  CHECK(s.world->feed_calls.size() == 1);
}

TEST_CASE("a clock that is set back does not keep a follower from asking again") {
  shard_in_time s;
  s.tell({"ear", "x"}, "follow", {{"tally", "a"}, {"from", 0}});
  s.pass(2s);
  s.world->feeds_lost = true;
  s.set_back();
  s.clock += s.setup.limits.feeds.silence_max;
  s.world->feeds_lost = false;
  s.machine().on_wake();
  CHECK(s.world->feed_calls.size() == 2);  // Its source's own sign of life, and its wish.
}

TEST_CASE("a clock that is set back does not keep a follower from reading on in the log") {
  shard_in_time s;
  s.world->feeds_lost = true;
  s.tell({"ear", "x"}, "follow", {{"tally", "a"}, {"from", 0}});  // The log's end: again later.
  s.set_back();
  s.number(7);
  s.pass(s.setup.limits.feeds.read_again);
  s.pass(s.setup.limits.checkpoint_interval);
  CHECK(s.heard()["sum"] == 7);
}

TEST_CASE("the age of what waits counts from the new time when the clock is set back") {
  shard_in_time s;
  s.tell({"savings", "x"}, "deposit", {{"amount", 10}});
  s.tell({"savings", "x"}, "transfer", {{"amount", 1}, {"to", "far"}});
  REQUIRE(s.machine().progress().undelivered_since == s.clock);
  s.set_back();
  CHECK(s.machine().progress().undelivered_since == s.clock);
  CHECK(s.machine().progress().uncommitted_since <= s.clock);
}
