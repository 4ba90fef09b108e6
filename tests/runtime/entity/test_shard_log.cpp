// What a shard does when its log is not as it should be: shorter than its position, gone, or
// silent.
#include <doctest/doctest.h>

#include "runtime/codec/text.hpp"
#include "runtime/entity/command_decoder.hpp"
#include "runtime/entity/supervision.hpp"
#include "tests/runtime/entity/model_world.hpp"
#include "tests/runtime/entity/tally.hpp"
#include "tests/support/savings_account.hpp"

using namespace troupe;
using namespace troupe::test;
using nlohmann::json;
using namespace std::chrono_literals;

namespace {

enum topic : std::uint32_t { numbers, commands };

/// A shard that reads two topics.
struct reading_shard {
  durable disk;
  time_point clock = from_micros(1'000'000'000);
  shard_setup setup;
  std::unique_ptr<model_world> world;

  reading_shard() {
    setup.things.kinds = {tally_kind(), example::savings_kind()};
    setup.things.ingress = {numbers_topic(), {"commands", "savings", make_command_decoder}};
    setup.things.egress = {"fifths", std::string(example::balances_topic),
                           std::string(dead_letter_topic)};
    setup.shard_of = [](const entity_id&) { return shard_id(0); };
  }
  void begin() {
    world = std::make_unique<model_world>(disk, setup, clock);
    world->machine = std::make_unique<shard_machine>(shard_id(0), setup, *world);
    world->machine->start();
    world->run_all();
  }
  shard_machine& machine() { return *world->machine; }
  shard_progress progress() { return machine().progress(); }
  /// `count` more records of a topic, not yet taken.
  void write(std::uint32_t topic, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i)
      if (topic == numbers)
        disk.in["numbers"].emplace_back("a|1");
      else
        disk.in["commands"].push_back(
            "x|" +
            json{{"to", "savings/x"}, {"type", "deposit"}, {"body", {{"amount", 5}}}}.dump());
  }
  void take(std::uint32_t topic, std::size_t count) {
    world->feed(topic, count);
    world->run_all();
  }
};

}  // namespace

TEST_CASE("a truncated log stops the shard, or goes on and counts what is missing") {
  for (const bool go_on : {false, true}) {
    reading_shard s;
    s.setup.limits.go_on_when_truncated = go_on;
    s.begin();
    s.machine().on_unreadable(
        {numbers, unreadable_log::cause::truncated, position(0), position(30), position(40)});
    s.world->run_all();
    CHECK(s.world->failure.has_value() != go_on);
    if (!go_on) {
      CHECK(s.world->failure->reason ==
            "topic numbers partition 0 begins at offset 30, position 0 is gone: 30 records are "
            "missing (set ingress.on_truncated to \"continue\" to go on without them)");
      continue;
    }
    CHECK(s.progress().log_missing == 30);
    CHECK(s.progress().lag == 10);
    CHECK(s.disk.positions["numbers"] == position(30));
  }
}

TEST_CASE(
    "a log that is not there, or ends before the position, stops the shard in words of its own, "
    "whatever the setting; nothing is read again") {
  using enum unreadable_log::cause;
  const std::vector<std::pair<unreadable_log, std::string>> table{
      {{numbers, unknown, position(500), {}, {}},
       "topic numbers partition 0 does not exist, position 500 cannot be read: it was deleted (a "
       "node makes missing topics when it starts)"},
      {{numbers, ended, position(500), position(0), position(40)},
       "topic numbers partition 0 ends at offset 40, before position 500: the topic was made anew "
       "or has lost its end, and nothing says where to go on (docs/operations.md, \"When "
       "something is lost\")"}};
  for (const auto& [log, reason] : table)
    for (const bool go_on : {false, true}) {
      CAPTURE(reason);
      reading_shard s;
      s.setup.limits.go_on_when_truncated = go_on;
      s.disk.positions["numbers"] = position(500);
      s.begin();
      s.machine().on_unreadable(log);
      s.world->run_all();
      REQUIRE(s.world->failure);
      CHECK(s.world->failure->what == shard_failure::kind::log);
      CHECK(s.world->failure->reason == reason);
      const supervision_limits rules;
      CHECK(!shard_supervision(rules).on_failure(*s.world->failure, steady_time{}).restart);
      CHECK(s.disk.positions["numbers"] == position(500));
      CHECK(s.progress().log_missing == 0);
    }
}

TEST_CASE("a log that goes on while nothing of it comes is seen, whatever else advances") {
  reading_shard s;
  s.begin();
  CHECK(s.progress().lag == 0);
  s.write(numbers, 4);
  s.machine().on_log_end(numbers, position(3));
  const auto since = s.clock;
  CHECK(s.progress().lag == 3);
  CHECK(s.progress().starved_since == since);
  CHECK(s.progress().starved_of == "numbers");
  // Commands are carried out meanwhile, and the log grows: it waits as long as before.
  s.clock += 5s;
  s.write(commands, 1);
  s.take(commands, 1);
  s.machine().on_log_end(numbers, position(4));
  CHECK(s.progress().units == 1);
  CHECK(s.progress().starved_since == since);
  CHECK(s.progress().lag == 4);
  // Whoever takes some of it is behind, but not starved.
  s.take(numbers, 2);
  CHECK(s.progress().lag == 2);
  CHECK(s.progress().starved_since == s.clock);
  s.take(numbers, 2);
  CHECK(s.progress().lag == 0);
  CHECK(s.progress().starved_since == time_point{});
  // What looked like a record is none.
  s.machine().on_log_end(numbers, position(5));
  s.machine().on_log_end(numbers, position(4));
  CHECK(s.progress().lag == 0);
  CHECK(s.progress().starved_since == time_point{});
}

TEST_CASE("a shard that takes nothing because it is full is not starved") {
  reading_shard s;
  s.setup.limits.outbox_max = 2;
  s.begin();
  s.world->kafka_away = true;
  s.write(commands, 2);
  s.take(commands, 2);
  REQUIRE(s.world->paused);
  s.machine().on_log_end(numbers, position(3));
  CHECK(s.progress().lag == 3);
  CHECK(s.progress().starved_since == time_point{});
  s.clock += 60s;
  s.world->kafka_away = false;
  s.world->run_all();
  REQUIRE(!s.world->paused);
  CHECK(s.progress().starved_since == s.clock);
}
