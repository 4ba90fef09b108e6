// Feeds in one shard machine: what rides, what is held, what survives. The protocol between shards
// is simulated in tests/simulation.
#include <doctest/doctest.h>

#include "runtime/codec/text.hpp"
#include "tests/runtime/entity/ear.hpp"
#include "tests/runtime/entity/shard_lives.hpp"
#include "tests/runtime/entity/tally.hpp"

using namespace troupe;
using namespace troupe::test;
using nlohmann::json;
using namespace std::chrono_literals;

namespace {

constexpr shard_id home{0};
constexpr shard_id elsewhere{1};
constexpr std::uint32_t numbers = 0;
const entity_id ear_x{"ear", "x"};

/// One shard with tallies and ears, and its successive lives.
struct feeds_life : shard_lives {
  std::uint64_t requests = 0;

  feeds_life() {
    setup.things.kinds = {tally_kind(), ear_kind(), bank_kind()};
    setup.things.ingress = {numbers_topic()};
    setup.things.egress = {"fifths", "heard", std::string(dead_letter_topic)};
    setup.shard_of = [](const entity_id& id) {
      return id.key.starts_with("far") ? elsewhere : home;
    };
    begin();
  }
  void begin() {
    shard_lives::begin();
    world->run_all();
  }
  void tell(const std::string& type, json body, const entity_id& to = ear_x) {
    machine().on_request(to, {type, std::move(body)}, "", request_ref(++requests));
    world->run_all();
  }
  void number(const std::string& to, std::int64_t n) {
    disk.in["numbers"].push_back(to + '|' + std::to_string(n));
  }
  void bring(std::size_t count = 1'000) {
    world->feed(numbers, count);
    world->run_all();
  }
  void pass(std::chrono::milliseconds span) {
    clock += span;
    if (!world->failure) machine().on_wake();
    world->run_all();
  }
  json heard(const std::string& tally, const entity_id& of = ear_x) const {
    const auto it = disk.entities.find(of);
    if (it == disk.entities.end()) return json::object();
    return json::parse(it->second.state)["heard"].value(tally, json::object());
  }
  /// Lets everything come that is there; restarts a shard that fails.
  void settle() {
    for (int round = 0; round < 60; ++round) {
      if (world->failure) {
        const auto verdict = supervision.on_failure(*world->failure, steady_time{});
        REQUIRE(verdict.restart);
        begin();
      }
      bring();
      pass(1s);
    }
    REQUIRE(!world->failure);
  }
};

}  // namespace

TEST_CASE("what is followed comes live, and from the log what went before") {
  feeds_life s;
  for (int n = 1; n <= 9; ++n) s.number("a", n);
  s.bring();
  s.tell("follow", {{"tally", "a"}, {"from", 0}});
  for (int n = 10; n <= 12; ++n) s.number("a", n);
  s.settle();
  CHECK(s.heard("a")["count"] == 12);
  CHECK(s.heard("a")["sum"] == 78);
  CHECK(s.heard("a")["in_order"] == true);
  CHECK(s.heard("a")["next"] == 12);
  CHECK(s.disk.out["heard"].size() == 1);
}

TEST_CASE("from now on means nothing of before") {
  feeds_life s;
  for (int n = 1; n <= 9; ++n) s.number("a", n);
  s.bring();
  s.tell("follow", {{"tally", "a"}, {"from", -1}});
  s.pass(1s);
  CHECK(s.heard("a")["next"] == 9);
  s.number("a", 100);
  s.settle();
  CHECK(s.heard("a")["sum"] == 100);
}

TEST_CASE("events without effects cost no commit of their own; they ride with the checkpoint") {
  feeds_life s;
  s.tell("follow", {{"tally", "a"}, {"from", 0}});
  s.number("a", 1);
  s.bring();  // A checkpoint, because the last one is long ago.
  const auto commits = s.machine().progress().commits;
  const auto durable = s.heard("a")["count"];
  for (int n = 1; n <= 8; ++n) {
    s.number("a", 1);
    s.bring();
  }
  CHECK(s.machine().progress().commits == commits);
  CHECK(s.heard("a")["count"] == durable);
  s.pass(1s);
  CHECK(s.machine().progress().commits == commits + 1);
  CHECK(s.heard("a")["count"] == 9);
}

TEST_CASE("an event with effects commits at once, with all that came before it") {
  feeds_life s;
  s.tell("follow", {{"tally", "a"}, {"from", 0}});
  s.pass(1s);
  for (int n = 1; n <= 13; ++n) {
    s.number("a", 1);
    s.bring();
  }
  CHECK(s.disk.out["heard"].size() == 1);
  CHECK(s.heard("a")["count"] == 10);
}

TEST_CASE("an answer that has seen uncommitted events waits until they are durable") {
  feeds_life s;
  s.tell("follow", {{"tally", "a"}, {"from", 0}});
  s.number("a", 1);
  s.bring();
  CHECK(s.heard("a")["count"] == 0);
  s.tell("look", {});
  CHECK(s.world->replies.contains(s.requests));
  CHECK(s.heard("a")["count"] == 1);
}

TEST_CASE("showing a follower shows its feeds") {
  feeds_life s;
  s.tell("follow", {{"tally", "a"}, {"from", 0}});
  s.number("a", 1);
  s.bring();
  s.machine().on_show(ear_x, request_ref(900));
  s.world->run_all();
  const auto& shown = s.world->replies.at(900);
  CHECK(shown["state"]["heard"]["a"]["count"] == 1);
  CHECK(shown["follows"] ==
        json::array({{{"entity", "tally/a"}, {"next", 1}, {"lag", 0}, {"live", true}}}));
  CHECK(s.machine().progress().feeds.followed == 1);
}

TEST_CASE("followers live without being asked: after a crash, and however long they are idle") {
  feeds_life s;
  s.tell("follow", {{"tally", "a"}, {"from", 0}});
  CHECK(s.disk.entities.at(ear_x).follows);
  s.begin();
  for (int n = 1; n <= 5; ++n) s.number("a", n);
  s.settle();
  CHECK(s.heard("a")["sum"] == 15);
  s.clock += std::chrono::hours(5);
  s.settle();
  s.number("a", 100);
  s.settle();
  CHECK(s.heard("a")["sum"] == 115);
  s.tell("unfollow", {{"tally", "a"}});
  CHECK(!s.disk.entities.at(ear_x).follows);
  CHECK(s.machine().progress().feeds.followed == 0);
  s.clock += std::chrono::hours(5);
  s.settle();
  CHECK(s.machine().progress().residents == 0);
}

TEST_CASE("a follower that waits gets nothing more until its message has come, and loses nothing") {
  feeds_life s;
  s.tell("hold_at", {{"multiple_of", 10}, {"bank", "far"}});
  s.tell("follow", {{"tally", "a"}, {"from", 0}});
  for (int n = 8; n <= 25; ++n) s.number("a", n);
  s.settle();
  CHECK(s.heard("a")["last"] == 2);  // 8, 9, 10.
  REQUIRE(s.world->to_shards.size() >= 1);
  CHECK(s.world->to_shards.front().key == "bank/far");
  s.begin();  // It goes on waiting.
  s.settle();
  CHECK(s.heard("a")["last"] == 2);
  s.machine().on_channel(elsewhere, sequence(1), ear_x, {"confirmed", {}});
  s.settle();
  CHECK(s.heard("a")["last"] == 12);  // 20.
  s.machine().on_channel(elsewhere, sequence(2), ear_x, {"confirmed", {}});
  s.settle();
  CHECK(s.heard("a")["count"] == 18);
  CHECK(s.heard("a")["in_order"] == true);
}

TEST_CASE("one that waits for its own shard goes on in the same unit") {
  feeds_life s;
  s.tell("hold_at", {{"multiple_of", 2}, {"bank", "b"}});
  s.tell("follow", {{"tally", "a"}, {"from", 0}});
  for (int n = 1; n <= 30; ++n) s.number("a", n);
  s.settle();
  CHECK(s.heard("a")["count"] == 30);
  CHECK(json::parse(s.disk.entities.at({"bank", "b"}).state) == 15);
}

TEST_CASE("what the network loses comes from the log") {
  feeds_life s;
  s.tell("follow", {{"tally", "a"}, {"from", 0}});
  s.world->feeds_lost = true;
  for (int n = 1; n <= 5; ++n) s.number("a", n);
  s.bring();
  s.world->feeds_lost = false;
  s.settle();
  CHECK(s.heard("a")["sum"] == 15);
}

TEST_CASE("a log that has lost what was not yet seen is told by name, and the entity goes on") {
  feeds_life s;
  for (int n = 1; n <= 20; ++n) s.number("a", n);
  s.bring();
  s.disk.truncated["numbers"] = position(8);
  s.tell("follow", {{"tally", "a"}, {"from", 3}});
  s.settle();
  CHECK(s.heard("a")["missing"] == 5);
  CHECK(s.heard("a")["count"] == 12);
  CHECK(s.machine().progress().feed_missing == 5);
}

TEST_CASE("an event that a follower cannot stand is quarantined for it alone") {
  feeds_life s;
  for (auto& kind : s.setup.things.kinds)
    if (kind.name == "ear")
      kind.when_quarantined = [](const failed_input& what, effects& out) {
        out.tell({"bank", "told"}, {"confirm", {{"to", to_string(what.of)}}});
      };
  s.tell("follow", {{"tally", "a"}, {"from", 0}});
  s.tell("follow", {{"tally", "a"}, {"from", 0}}, {"ear", "y"});
  s.tell("bomb_at", {{"number", 4}});
  for (int n = 1; n <= 9; ++n) s.number("a", n);
  s.settle();
  CHECK(s.heard("a")["sum"] == 41);
  CHECK(s.heard("a", {"ear", "y"})["sum"] == 45);
  REQUIRE(s.disk.quarantined.size() == 1);
  CHECK(s.disk.quarantined[0].source == "feed:tally/a");
  CHECK(s.disk.quarantined[0].place == 3);
  CHECK(s.disk.quarantined[0].key == "ear/x");
  CHECK(s.disk.entities.at({"bank", "told"}).state == "1");
}

TEST_CASE("followers get a record that its own entity could not stand") {
  feeds_life s;
  s.tell("follow", {{"tally", "a"}, {"from", 0}});
  s.number("a", 1);
  s.disk.in["numbers"].push_back("a|bomb");
  s.number("a", 2);
  s.settle();
  CHECK(s.disk.quarantined.size() == 1);
  CHECK(s.heard("a")["count"] == 3);
}

namespace {

/// Random numbers, messages, crashes and lost commits; then rest.
void run_history(std::uint64_t seed) {
  CAPTURE(seed);
  feeds_life s;
  std::mt19937_64 random(seed);
  s.setup.limits.feeds.buffer_events_max = 1 + random() % 20;
  s.setup.limits.feeds.span_events_max = 1 + random() % 5;
  s.begin();
  s.tell("hold_at", {{"multiple_of", 7}, {"bank", "b"}});
  s.tell("follow", {{"tally", "a"}, {"from", 0}});
  s.tell("follow", {{"tally", "b"}, {"from", 0}});
  std::int64_t sum = 0, count = 0;
  for (int i = 0; i < 300; ++i) {
    switch (random() % 10) {
      case 0:
      case 1:
      case 2: {
        const auto n = static_cast<std::int64_t>(random() % 100);
        sum += n;
        ++count;
        s.number(random() % 3 ? "a" : "b", n);
        break;
      }
      case 3:
        s.world->feed(numbers, 1 + random() % 20);
        break;
      case 4:
        if (random() % 8 == 0) s.begin();  // kill -9
        break;
      case 5:
        if (random() % 6 == 0)
          s.world->next_commit =
              random() % 2 ? model_world::fault::lost_before : model_world::fault::lost_after;
        break;
      case 6:
        s.clock += std::chrono::milliseconds(random() % 500);
        if (!s.world->failure) s.machine().on_wake();
        break;
      case 7:
        s.world->feeds_lost = random() % 4 == 0;
        break;
      default:
        for (auto k = random() % 8; k > 0; --k) s.world->step(random);
    }
    if (s.world->failure) s.begin();
  }
  s.world->feeds_lost = false;
  s.settle();
  const auto a = s.heard("a"), b = s.heard("b");
  CHECK(a["count"].get<std::int64_t>() + b["count"].get<std::int64_t>() == count);
  CHECK(a["sum"].get<std::int64_t>() + b["sum"].get<std::int64_t>() == sum);
  CHECK(a["in_order"] == true);
  CHECK(b["in_order"] == true);
  CHECK(static_cast<std::int64_t>(s.disk.out["heard"].size()) ==
        a["count"].get<std::int64_t>() / 10 + b["count"].get<std::int64_t>() / 10);
}

}  // namespace

TEST_CASE("random histories of a follower end as if undisturbed") {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) run_history(seed);
}
