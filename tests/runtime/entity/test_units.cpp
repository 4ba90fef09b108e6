// When the units of a shard are committed, and what it keeps in memory until then.
#include <doctest/doctest.h>

#include "runtime/entity/residents.hpp"
#include "tests/runtime/entity/model_world.hpp"
#include "tests/support/savings_account.hpp"

using namespace troupe;
using namespace troupe::test;
using nlohmann::json;
using namespace std::chrono_literals;

namespace {

/// Sets as many timers as it is told, all due at once; the first one cancels the others. Shouts.
class alarm_clock final : public entity {
 public:
  void load(std::string_view state, int) override { rung_ = json::parse(state); }
  std::string save() const override { return json(rung_).dump(); }
  void handle(const message& what, const context& where, effects& out) override {
    const auto each = [](std::size_t n, auto visit) {
      for (std::size_t i = 0; i < n; ++i) visit("alarm " + std::to_string(i));
    };
    if (what.type == "set") {
      const auto count = what.body.at("count").get<std::size_t>();
      return each(count, [&](std::string name) {
        out.set_timer(std::move(name), where.now + 1s, {"ring", {{"count", count}}});
      });
    }
    if (what.type == "shout")
      out.publish(example::balances_topic, "k",
                  std::string(what.body.at("bytes").get<std::size_t>(), '!'));
    if (what.type == "ring") {
      ++rung_;
      each(what.body.at("count").get<std::size_t>(),
           [&](std::string name) { out.cancel_timer(std::move(name)); });
    }
    out.reply(rung_);
  }

 private:
  int rung_ = 0;
};

/// One shard without logs, live.
struct rig {
  durable disk;
  time_point clock = from_micros(1'000'000'000);
  shard_setup setup;
  std::unique_ptr<model_world> world;

  rig() {
    setup.things.kinds = {
        {"alarm", 1, false, [](const entity_id&) { return std::make_unique<alarm_clock>(); }},
        example::savings_kind()};
    setup.things.egress = {std::string(example::balances_topic)};
    setup.shard_of = [](const entity_id&) { return shard_id(0); };
    setup.limits.inbox_max = 1'000;
    world = std::make_unique<model_world>(disk, setup, clock);
    world->machine = std::make_unique<shard_machine>(shard_id(0), setup, *world);
    world->machine->start();
    world->run_all();
  }
  shard_machine& machine() { return *world->machine; }
  json ask(const entity_id& to, const message& what) {
    const request_ref from(++asked);
    machine().on_request(to, what, "", from);
    world->run_all();
    return world->replies[from.value()];
  }
  void deposit(const std::string& request) {
    machine().on_request({"savings", "x"}, {"deposit", {{"amount", 5}}}, request,
                         request_ref(++asked));
  }
  static void let(std::deque<std::function<void()>>& calls) {
    REQUIRE(!calls.empty());
    const auto call = std::move(calls.front());
    calls.pop_front();
    call();
  }
  std::uint64_t asked = 0;
};

}  // namespace

TEST_CASE("a shard goes on after however many units that came to nothing") {
  for (const int count : {10, 2'001, 4'500, 10'000}) {
    CAPTURE(count);
    rig r;
    r.ask({"alarm", "a"}, {"set", {{"count", count}}});
    r.clock += 2s;
    r.machine().on_wake();
    r.world->run_all();
    r.machine().on_wake();
    r.world->run_all();
    CHECK(r.machine().progress().inbox == 0);
    CHECK(!r.world->paused);
    CHECK(r.ask({"alarm", "a"}, {"how_often", json::object()}) == 1);
  }
}

TEST_CASE("nobody waits for more than a moment because others come in all the time") {
  rig r;
  constexpr std::uint32_t many = 500;
  for (std::uint32_t n = 1; n <= many; ++n)
    r.machine().on_request({"savings", "x" + std::to_string(n)}, {"deposit", {{"amount", 5}}}, "",
                           request_ref(n));
  std::mt19937_64 random(1);
  int steps_max = 0;
  for (int steps = 0, answered = 0; answered < static_cast<int>(many); ++steps) {
    REQUIRE(r.world->step(random));
    r.clock += 1ms;  // Each entity is read first: that takes its time.
    if (static_cast<int>(r.world->replies.size()) == answered) continue;
    answered = static_cast<int>(r.world->replies.size());
    steps_max = std::max(steps_max, std::exchange(steps, 0));
  }
  CHECK(steps_max < 100);
}

TEST_CASE("an entity whose state is on its way to the store stays, however long that takes") {
  rig s;
  const message deposit{"deposit", {{"amount", 5}}};
  s.machine().on_request({"savings", "x"}, deposit, "", request_ref(1));
  while (s.world->store_calls.empty()) {
    auto& calls = s.world->store_reads.empty() ? s.world->entity_calls : s.world->store_reads;
    const auto call = std::move(calls.front());
    calls.pop_front();
    call();
  }
  const auto commit = std::exchange(s.world->store_calls, {});
  s.clock += 601s;
  s.machine().on_wake();
  s.machine().on_request({"savings", "x"}, deposit, "", request_ref(2));
  s.world->run_all();  // Gone, it would be loaded now, before the commit has arrived.
  s.world->store_calls = commit;
  s.world->run_all();
  CHECK(s.world->replies.at(2) == json{{"balance", 10}});
}

TEST_CASE("an answer is remembered until the store has it and nobody can have missed it there") {
  rig r;
  r.deposit("r1");
  r.deposit("r1");  // Its look-up finds nothing: the answer comes from memory.
  r.world->run_all();
  CHECK(r.world->replies.at(1) == json{{"balance", 5}});
  CHECK(r.world->replies.at(2) == json{{"balance", 5}});
  r.deposit("r1");
  const auto look_up = std::exchange(r.world->store_reads, {});
  REQUIRE(look_up.size() == 1);
  r.world->run_all();
  CHECK(!r.world->replies.contains(3));  // Now only the store knows.
  r.world->store_reads = look_up;
  r.world->run_all();
  CHECK(r.world->replies.at(3) == json{{"balance", 5}});
}

TEST_CASE("a look-up that comes late speaks only for the unit that it was made for") {
  rig r;
  r.deposit("r1");
  r.deposit("r1");
  r.world->run_all();
  r.deposit("r1");
  const auto look_up = std::exchange(r.world->store_reads, {});
  r.machine().on_answer_found(2, std::optional(std::optional<std::string>()));
  r.world->run_all();
  CHECK(!r.world->replies.contains(3));
  r.world->store_reads = look_up;
  r.world->run_all();
  CHECK(r.world->replies.at(3) == json{{"balance", 5}});
}

TEST_CASE("a record that Kafka would never take is a defect of its entity") {
  rig r;
  const auto shout = [&r](std::size_t bytes) {
    return r.ask({"alarm", "a"}, {"shout", {{"bytes", bytes}}});
  };
  CHECK(shout(published_bytes_max - 1) == 0);  // One byte is the key.
  CHECK(!r.world->failure);
  shout(published_bytes_max);
  REQUIRE(r.world->failure);
  CHECK(r.world->failure->reason.find("990001 bytes for the topic balances") != std::string::npos);
}

TEST_CASE("what a look-up began too early to find is remembered until its unit's turn has come") {
  answer_memory m;
  m.remember("r1", "one");
  m.remember("r2", "two");
  m.stored({"r1"}, 7);
  m.forget(7);
  CHECK(m.size() == 2);
  m.stored({"r2"}, 9);
  m.forget(8);
  CHECK(m.find("r1") == nullptr);
  REQUIRE(m.find("r2") != nullptr);
  CHECK(*m.find("r2") == "two");
  m.forget(10);
  CHECK(m.size() == 0);
}

TEST_CASE("residents keep their slots while others come and go, and the first free ones are used") {
  const auto kind = example::savings_kind();
  residents all;
  const auto name = [](int i) { return entity_id{"savings", std::to_string(i)}; };
  std::vector<slot_id> slots;
  for (int i = 0; i < 1'000; ++i) slots.push_back(all.add(kind, name(i)));
  for (int i = 0; i < 1'000; ++i)
    if (i % 10 != 3) all.remove(slots[static_cast<std::size_t>(i)]);
  CHECK(all.size() == 100);
  for (int i = 0; i < 1'000; ++i) {
    const auto slot = slots[static_cast<std::size_t>(i)];
    const auto* found = all.find(kind, std::to_string(i));
    CHECK((found != nullptr && *found == slot) == (i % 10 == 3));
    CHECK(all.contains(slot) == (i % 10 == 3));
    if (found != nullptr) CHECK(all[*found].id == name(i));
  }
  for (int i = 2'000; i < 2'500; ++i) CHECK(all.add(kind, name(i)).value() < 600);
  std::size_t seen = 0;
  all.each([&](slot_id slot, residents::entry&) {
    ++seen;
    all.remove(slot);
  });
  CHECK(seen == 600);
  CHECK(all.size() == 0);
  CHECK(all.add(kind, name(1)).value() == 0);
  CHECK(!all.contains(slot_id(1)));
  CHECK(!all.contains(slot_id(100'000)));
}

TEST_CASE("a shard that is handed over while it loads lets nothing go that it has already done") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    rig r;
    const message ring{"ring", {{"count", 0}}};
    CHECK(r.ask({"alarm", "a"}, ring) == 1);
    r.machine().on_show({"savings", "y"}, request_ref(50));  // Has to be loaded first.
    r.machine().on_request({"alarm", "a"}, ring, "", request_ref(51));
    rig::let(r.world->entity_calls);
    r.machine().on_drain();
    std::mt19937_64 random(seed);
    while (!r.world->drained_) REQUIRE(r.world->step(random));
    CHECK(r.world->replies[50]["error"] == "unknown_entity");
    CHECK(r.world->replies[51] == 2);
    CHECK(r.disk.entities.at({"alarm", "a"}).state == "2");
  }
}

TEST_CASE("a shard is handed over though the last that it did came to nothing") {
  rig r;
  r.machine().on_request({"alarm", "a"}, {"ring", {{"count", 0}}}, "", request_ref(1));
  r.machine().on_call_answered({"savings", "x"}, {"post", "7", {}}, {});  // Changes nothing.
  r.machine().on_drain();
  r.clock += 20ms;  // The first is committed before the second begins.
  rig::let(r.world->store_reads);
  rig::let(r.world->entity_calls);
  rig::let(r.world->entity_calls);
  rig::let(r.world->store_calls);
  CHECK(r.disk.entities.contains({"alarm", "a"}));
  r.world->run_all();
  r.clock += 1s;
  r.machine().on_wake();
  r.world->run_all();
  CHECK(r.world->drained_);
}
