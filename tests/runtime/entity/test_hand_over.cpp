// What a shard waits for when it is handed over, and what the next owner goes on with.
#include <doctest/doctest.h>

#include <algorithm>

#include "tests/runtime/entity/model_world.hpp"
#include "tests/support/savings_account.hpp"

using namespace troupe;
using namespace troupe::test;
using nlohmann::json;
using namespace std::chrono_literals;

namespace {

constexpr shard_id near_by{0}, far_away{1};

/// One of two shards: its disk and its successive owners.
struct end_of_channel {
  shard_id id;
  const shard_setup& setup;
  time_point& clock;
  durable disk{};
  std::unique_ptr<model_world> world{};

  void begin() {
    world = std::make_unique<model_world>(disk, setup, clock);
    world->machine = std::make_unique<shard_machine>(id, setup, *world);
    world->machine->start();
  }
  shard_machine& machine() { return *world->machine; }
  /// Whether it lets go, if nobody else does anything.
  bool drains() {
    machine().on_drain();
    world->run_all();
    return world->drained_ && !world->failure;
  }
  void wake(std::chrono::milliseconds after) {
    clock += after;
    machine().on_wake();
    world->run_all();
  }
};

/// Account `x` of a shard near by sends money to account `far` of another one.
struct two_shards {
  shard_setup setup = make_setup();
  time_point clock = from_micros(1'000'000'000);
  end_of_channel from{near_by, setup, clock}, to{far_away, setup, clock};
  std::int64_t sent = 0;

  static shard_setup make_setup() {
    shard_setup s;
    s.things.kinds = {example::savings_kind()};
    s.things.egress = {std::string(example::balances_topic)};
    s.shard_of = [](const entity_id& id) { return id.key == "far" ? far_away : near_by; };
    s.limits.channel_window = 4;
    return s;
  }
  two_shards() {
    for (auto* shard : {&from, &to}) {
      shard->begin();
      shard->world->run_all();
    }
    from.machine().on_request({"savings", "x"}, {"deposit", {{"amount", 1'000'000}}}, "",
                              request_ref(1));
    from.world->run_all();
  }
  /// Its amount is its number.
  void transfer() {
    ++sent;
    from.machine().on_request({"savings", "x"}, {"transfer", {{"amount", sent}, {"to", "far"}}}, "",
                              request_ref(static_cast<std::uint64_t>(sent) + 1));
  }
  /// What was sent since the last time and has not been carried over.
  std::vector<store::outbox_row> under_way() { return std::exchange(from.world->to_shards, {}); }
  void carry(const store::outbox_row& row) {
    const auto what = json::parse(row.payload);
    to.machine().on_channel(near_by, row.seq, {"savings", "far"}, {what["type"], what["body"]});
  }
  void acknowledge() {
    if (const auto up_to = to.world->acknowledged[near_by]; up_to.value() > 0)
      from.machine().on_channel_acknowledged("shard:1", up_to);
  }
  /// Amounts as they arrived, by what the account told of its balance.
  std::vector<std::int64_t> arrived() const {
    std::vector<std::int64_t> amounts;
    std::int64_t before = 0;
    const auto told = to.disk.out.find(std::string(example::balances_topic));
    if (told == to.disk.out.end()) return amounts;
    for (const auto& [seq, payload] : told->second) {
      const auto balance = json::parse(payload)["balance"].get<std::int64_t>();
      amounts.push_back(balance - std::exchange(before, balance));
    }
    return amounts;
  }
  std::size_t undelivered() { return from.disk.outbox["shard:1"].size(); }
};

std::vector<std::int64_t> counted(std::int64_t n) {
  std::vector<std::int64_t> all;
  for (std::int64_t i = 1; i <= n; ++i) all.push_back(i);
  return all;
}

std::vector<std::int64_t> numbers_of(const std::vector<store::outbox_row>& rows) {
  std::vector<std::int64_t> all;
  for (const auto& row : rows) all.push_back(row.seq.value());
  return all;
}

}  // namespace

TEST_CASE("a hand-over does not wait for another shard; the next owner sends what is left, once") {
  two_shards s;
  for (int i = 0; i < 3; ++i) s.transfer();
  s.from.world->run_all();
  const auto sent = s.under_way();
  REQUIRE(numbers_of(sent) == counted(3));
  s.carry(sent[0]);
  s.carry(sent[1]);
  s.to.world->run_all();  // Its acknowledgement is lost.
  s.transfer();           // Under way when the hand-over comes.
  REQUIRE(s.from.drains());
  CHECK(s.undelivered() == 4);
  CHECK(s.arrived() == counted(2));
  s.from.begin();
  s.from.world->run_all();
  s.transfer();
  s.from.world->run_all();
  const auto again = s.under_way();
  REQUIRE(again.size() >= 4);
  CHECK(numbers_of({again.begin(), again.begin() + 4}) == counted(4));
  CHECK(std::ranges::max(numbers_of(again)) == 4);  // As far as the window goes.
  for (const auto& row : again) s.carry(row);
  s.to.world->run_all();
  s.acknowledge();
  for (const auto& row : s.under_way()) s.carry(row);
  s.to.world->run_all();
  s.acknowledge();
  s.from.wake(2s);
  CHECK(s.arrived() == counted(5));
  CHECK(s.undelivered() == 0);
}

TEST_CASE("a hand-over waits for Kafka, whatever other shards do") {
  two_shards s;
  s.from.world->kafka_away = true;
  s.transfer();
  s.from.world->run_all();
  CHECK_FALSE(s.from.drains());
  s.from.world->kafka_away = false;
  s.from.world->run_all();
  CHECK(s.from.world->drained_);
  CHECK(s.from.disk.outbox["topic:balances"].empty());
  CHECK(s.undelivered() == 1);
}

TEST_CASE("two shards that send to each other are handed over without each other") {
  two_shards s;
  s.transfer();
  s.from.world->run_all();
  const auto first = s.under_way();
  REQUIRE(s.to.drains());
  s.to.begin();  // Its next owner has not got the shard yet: nothing reaches it.
  CHECK(s.from.drains());
  s.from.begin();
  s.from.world->run_all();
  s.to.world->run_all();
  s.carry(first.front());
  for (const auto& row : s.under_way()) s.carry(row);
  s.to.world->run_all();
  CHECK(s.arrived() == counted(1));
}

namespace {

/// Both shards change hands again and again, in order and by kill, while messages between them get
/// lost, come twice and come late. Returns how often some were left to the next owner.
std::size_t run_history(std::uint64_t seed) {
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  two_shards s;
  std::vector<store::outbox_row> late;
  std::size_t handed_on = 0;
  for (int i = 0; i < 200; ++i) {
    auto& one = random() % 2 ? s.from : s.to;
    switch (random() % 8) {
      case 0:
      case 1:
        if (s.from.world->live_) s.transfer();
        break;
      case 2:
        for (auto& row : s.under_way()) {
          if (random() % 4 > 0) s.carry(row);
          if (random() % 4 == 0) late.push_back(std::move(row));
        }
        break;
      case 3:
        for (const auto& row : std::exchange(late, {})) s.carry(row);
        break;
      case 4:
        s.acknowledge();
        break;
      case 5:
        if (!one.world->live_) break;
        if (random() % 3 > 0) {
          REQUIRE(one.drains());
          handed_on += s.undelivered() > 0 ? 1 : 0;
        }
        one.begin();
        break;
      case 6:
        s.clock += 1s;
        one.machine().on_wake();
        break;
      default:
        for (auto k = random() % 8; k > 0; --k) one.world->step(random);
    }
  }
  s.from.world->run_all();
  s.transfer();  // What a kill took with it was never told to anybody; this one is.
  s.from.world->run_all();
  for (int round = 0; round < 100 && s.undelivered() > 0; ++round) {
    s.from.wake(2s);
    for (const auto& row : s.under_way()) s.carry(row);
    s.to.world->run_all();
    s.acknowledge();
    s.from.world->run_all();
  }
  const auto kept = json::parse(s.from.disk.entities.at({"savings", "x"}).state)["balance"];
  std::int64_t sum = 0, last = 0;
  for (const auto amount : s.arrived()) {
    CHECK(amount > last);
    last = amount;
    sum += amount;
  }
  CHECK(last == s.sent);
  CHECK(sum + kept.get<std::int64_t>() == 1'000'000);
  return handed_on;
}

}  // namespace

TEST_CASE("through any number of hand-overs messages between shards come in order, each once") {
  std::size_t handed_on = 0;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) handed_on += run_history(seed);
  CHECK(handed_on > 300);
}

TEST_CASE("a shard that is not live yet is let go without waiting for Kafka") {
  two_shards s;
  s.from.begin();
  SUBCASE("while it waits for Kafka") {
    s.from.world->kafka_away = true;
    s.from.world->run_all();
    s.from.machine().on_drain();
  }
  SUBCASE("while it is being taken, as soon as it is known with which epoch") {
    s.from.machine().on_drain();
    CHECK_FALSE(s.from.world->drained_);
    s.from.world->run_all();
    CHECK(s.from.world->egress_calls.empty());
  }
  CHECK(s.from.world->drained_);
  CHECK_FALSE(s.from.world->live_);
  CHECK_FALSE(s.from.world->failure);
  CHECK(s.from.machine().era() == s.from.disk.era);
}

TEST_CASE("a shard that turns out to be another's, or out of reach, is not let go") {
  for (const auto why : {store::commit_outcome::fenced, store::commit_outcome::unavailable}) {
    two_shards s;
    s.from.begin();
    s.from.machine().on_drain();
    s.from.world->store_calls.clear();
    s.from.machine().on_taken(std::nullopt, why);
    CHECK_FALSE(s.from.world->drained_);
    REQUIRE(s.from.world->failure);
    CHECK(s.from.world->failure->what == (why == store::commit_outcome::fenced
                                              ? shard_failure::kind::fenced
                                              : shard_failure::kind::store));
  }
}
