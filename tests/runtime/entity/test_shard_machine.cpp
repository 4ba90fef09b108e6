#include <doctest/doctest.h>

#include <algorithm>

#include "runtime/codec/text.hpp"
#include "runtime/entity/command_decoder.hpp"
#include "tests/runtime/entity/shard_lives.hpp"
#include "tests/runtime/entity/tally.hpp"
#include "tests/support/savings_account.hpp"

using namespace troupe;
using namespace troupe::test;
using nlohmann::json;
using namespace std::chrono_literals;

namespace {

constexpr shard_id home{0};
constexpr shard_id elsewhere{1};
enum topic : std::uint32_t { numbers, commands };

/// One shard, its disk and its successive lives.
struct shard_life : shard_lives {
  shard_life() {
    setup.things.kinds = {tally_kind(), example::savings_kind()};
    setup.things.ingress = {numbers_topic(), {"commands", "savings", make_command_decoder}};
    setup.things.egress = {"fifths", std::string(example::balances_topic),
                           std::string(dead_letter_topic)};
    setup.shard_of = [](const entity_id& id) {
      return id.key.starts_with("far") ? elsewhere : home;
    };
    setup.limits.catch_up_records = 1'000'000;
  }

  void command(const std::string& to, const std::string& type, json body,
               const std::string& id = {}) {
    disk.in["commands"].push_back(
        to + '|' +
        json{{"to", "savings/" + to}, {"type", type}, {"id", id}, {"body", body}}.dump());
  }
  void number(const std::string& to, const std::string& text) {
    disk.in["numbers"].push_back(to + '|' + text);
  }
  json state(const entity_id& id) {
    const auto it = disk.entities.find(id);
    return it == disk.entities.end() ? json::object() : json::parse(it->second.state);
  }
  /// Feeds everything, lets everything happen, moves the clock past the checkpoint; restarts a
  /// shard that fails.
  void settle() {
    for (int round = 0; round < 200; ++round) {
      if (world->failure) restart();
      world->run_all();
      const bool fed = world->feed(numbers, 100) | world->feed(commands, 100);
      world->run_all();
      clock += 2s;
      if (!world->failure) machine().on_wake();
      world->run_all();
      if (!fed && !world->failure && round > 2) return;
    }
    FAIL("the shard does not come to rest");
  }
  void restart() {
    const auto verdict = supervision.on_failure(*world->failure, steady_time{});
    REQUIRE(verdict.restart);
    begin();
  }
  std::vector<std::int64_t> egress(const std::string& name) {
    std::vector<std::int64_t> seqs;
    for (const auto& [seq, payload] : disk.out[name]) seqs.push_back(seq.value());
    return seqs;
  }
};

std::vector<std::int64_t> counted(std::size_t n) {
  std::vector<std::int64_t> all(n);
  for (std::size_t i = 0; i < n; ++i) all[i] = static_cast<std::int64_t>(i + 1);
  return all;
}

}  // namespace

TEST_CASE("a checkpoint commits states, rows, records and the position together") {
  shard_life s;
  s.begin();
  for (int n = 1; n <= 12; ++n) s.number("a", std::to_string(n));
  s.number("a", "what?");
  s.settle();
  CHECK(s.state({"tally", "a"}) == json{{"sum", 78}, {"count", 12}});
  CHECK(s.disk.rows == std::vector<std::int64_t>{5, 10});
  CHECK(s.disk.positions["numbers"] == position(13));
  CHECK(s.egress("fifths") == counted(2));
  REQUIRE(s.disk.out["dead-letter"].size() == 1);
  const auto letter = json::parse(s.disk.out["dead-letter"][0].second);
  CHECK(letter["reason"] == "not_a_number");
  CHECK(letter["offset"] == 12);
  CHECK(letter["payload"] == "what?");
  CHECK(s.disk.outbox["topic:fifths"].empty());
}

TEST_CASE("a key that no table could hold goes to the dead letters and the shard goes on") {
  shard_life s;
  s.begin();
  s.number(std::string("N\0L", 3), "what?");
  s.number("a", "5");
  s.settle();
  CHECK(s.state({"tally", "a"})["sum"] == 5);
  REQUIRE(s.disk.out["dead-letter"].size() == 1);
  s.machine().on_request({"savings", std::string("x\0", 2)}, {"deposit", {{"amount", 5}}}, "",
                         request_ref(1));
  s.machine().on_request({"savings", "x"}, {"deposit", {{"amount", 5}}}, std::string("\0", 1),
                         request_ref(2));
  CHECK(s.world->replies.at(1)["error"] == "bad_request");
  CHECK(s.world->replies.at(2)["error"] == "bad_request");
}

TEST_CASE("failures that come again and again end with an alert, pauses in between grow") {
  const supervision_limits limits{5, 2, std::chrono::milliseconds(100),
                                  std::chrono::milliseconds(1000)};
  shard_supervision rules(limits);
  steady_time now{};
  std::vector<std::int64_t> pauses;
  shard_supervision::verdict verdict;
  for (int i = 0; i < 6; ++i, now += std::chrono::seconds(1)) {
    verdict = rules.on_failure(
        {shard_failure::kind::defect, "the store refused the content", {}, {}}, now);
    pauses.push_back(verdict.after.count());
  }
  CHECK(!verdict.restart);
  CHECK(verdict.alert.find("the store refused") != std::string::npos);
  pauses.pop_back();
  CHECK(pauses == std::vector<std::int64_t>{100, 200, 400, 800, 1000});
  const auto store_away =
      rules.on_failure({shard_failure::kind::store, "away", {}, {}}, now + std::chrono::hours(1));
  CHECK(store_away.restart);
  CHECK(store_away.after == std::chrono::milliseconds(100));
}

TEST_CASE("nothing leaves the shard before its commit is durable") {
  shard_life s;
  s.begin();
  s.world->run_all();
  s.machine().on_request({"savings", "x"}, {"deposit", {{"amount", 5}}}, "r1", request_ref(1));
  while (!s.world->entity_calls.empty() || s.world->store_calls.size() > 1 ||
         s.disk.entities.empty()) {
    CHECK(s.world->replies.empty());
    CHECK(s.disk.out["balances"].empty());
    std::mt19937_64 random(7);
    if (!s.world->step(random)) break;
  }
  s.world->run_all();
  CHECK(s.world->replies.at(1) == json{{"balance", 5}});
  CHECK(s.egress("balances") == counted(1));
}

TEST_CASE("a message to another shard goes through its channel, once") {
  shard_life s;
  s.begin();
  s.command("x", "deposit", {{"amount", 50}});
  s.command("x", "transfer", {{"amount", 20}, {"to", "far away"}});
  s.settle();
  REQUIRE(!s.world->to_shards.empty());
  CHECK(s.world->to_shards.front().key == "savings/far away");
  CHECK(s.disk.outbox["shard:1"].size() == 1);
  CHECK(s.machine().progress().undelivered_since != time_point{});
  s.machine().on_channel_acknowledged("shard:1", sequence(1));
  s.settle();
  CHECK(s.disk.outbox["shard:1"].empty());
  CHECK(s.machine().progress().undelivered_since == time_point{});
}

TEST_CASE("a shard is sent no more than its window, before and after a loss") {
  shard_life s;
  s.setup.limits.channel_window = 3;
  s.begin();
  s.command("x", "deposit", {{"amount", 50}});
  for (int i = 0; i < 7; ++i)
    s.command("x", "transfer", {{"amount", 1}, {"to", "far away"}}, "t" + std::to_string(i));
  s.settle();
  const auto sent = [&s] {
    std::vector<std::int64_t> out;
    for (const auto& row : std::exchange(s.world->to_shards, {})) out.push_back(row.seq.value());
    return out;
  };
  using sequences = std::vector<std::int64_t>;
  CHECK(std::ranges::max(sent()) == 3);
  s.machine().on_channel_acknowledged("shard:1", sequence(2));
  CHECK(sent() == sequences{4, 5});
  s.clock += s.setup.limits.channel_resend;
  s.machine().on_wake();
  CHECK(sent() == sequences{3, 4, 5});
  s.machine().on_channel_acknowledged("shard:1", sequence(5));
  CHECK(sent() == sequences{6, 7});
}

TEST_CASE("a channel applies each message once and acknowledges only what is durable") {
  shard_life s;
  s.begin();
  s.world->run_all();
  const message credit{"credit", {{"amount", 1}}};
  s.machine().on_channel(elsewhere, sequence(2), {"savings", "x"}, credit);  // A gap: not taken.
  s.machine().on_channel(elsewhere, sequence(1), {"savings", "x"}, credit);
  s.machine().on_channel(elsewhere, sequence(1), {"savings", "x"}, credit);
  CHECK(s.world->acknowledged.empty());
  s.world->run_all();
  CHECK(s.world->acknowledged[elsewhere] == sequence(1));
  s.begin();
  s.world->run_all();
  s.machine().on_channel(elsewhere, sequence(1), {"savings", "x"}, credit);
  s.machine().on_channel(elsewhere, sequence(2), {"savings", "x"}, credit);
  s.world->run_all();
  CHECK(s.state({"savings", "x"})["balance"] == 2);
  CHECK(s.world->acknowledged[elsewhere] == sequence(2));
}

TEST_CASE("a timer fires once, survives a crash, and can be set anew") {
  shard_life s;
  s.begin();
  s.command("x", "promise_bonus", {{"amount", 7}, {"delay_ms", 60'000}});
  s.settle();
  CHECK(s.disk.timers.size() == 1);
  s.begin();
  s.world->run_all();
  s.clock += 61s;
  s.settle();
  CHECK(s.state({"savings", "x"}) == json{{"balance", 7}, {"bonuses", 1}});
  CHECK(s.disk.timers.empty());
  s.begin();
  s.settle();
  CHECK(s.state({"savings", "x"})["bonuses"] == 1);
}

TEST_CASE("a timer that was cancelled or set anew after it fired does not run") {
  timers t;
  const store::timer_row first{{"savings", "x"}, "bonus", from_micros(10), "{}"};
  t.set(first);
  const auto fired = t.fire(from_micros(10));
  REQUIRE(fired.size() == 1);
  CHECK(t.still_due(fired[0]));
  auto later = first;
  later.due = from_micros(20);
  t.set(later);
  CHECK(!t.still_due(fired[0]));
  CHECK(t.next() == from_micros(20));
  t.cancel({first.owner, first.name});
  CHECK(t.fire(from_micros(30)).empty());
}

TEST_CASE("a fired timer that waits for its turn is dropped when it is set anew") {
  shard_life s;
  s.begin();
  s.world->run_all();
  s.command("x", "promise_bonus", {{"amount", 7}, {"delay_ms", 1000}});
  s.world->feed(commands, 1);
  s.world->run_all();
  s.clock += 1s;
  // This request waits for the look-up of its id; the timer fires meanwhile and queues behind it.
  s.machine().on_request({"savings", "x"}, {"promise_bonus", {{"amount", 9}, {"delay_ms", 5000}}},
                         "later", request_ref(1));
  s.machine().on_wake();
  s.settle();
  CHECK(s.state({"savings", "x"}) == json{{"balance", 9}, {"bonuses", 1}});
}

TEST_CASE("a bonus promised twice is paid once, at the later time") {
  shard_life s;
  s.begin();
  s.world->run_all();
  s.command("x", "promise_bonus", {{"amount", 7}, {"delay_ms", 0}});
  s.command("x", "promise_bonus", {{"amount", 9}, {"delay_ms", 1000}});
  s.world->feed(commands, 2);
  s.world->run_all();
  s.settle();
  CHECK(s.state({"savings", "x"}) == json{{"balance", 9}, {"bonuses", 1}});
}

TEST_CASE("records that come again are not taken again") {
  shard_life s;
  s.begin();
  s.world->run_all();
  for (int n = 1; n <= 4; ++n) s.number("a", std::to_string(n));
  s.world->feed(numbers, 4);
  const auto again = s.world->ingress_calls.front();
  s.world->run_all();
  again();
  s.settle();
  CHECK(s.state({"tally", "a"}) == json{{"sum", 10}, {"count", 4}});
}

TEST_CASE("an input that fails three times is quarantined and the entity goes on") {
  shard_life s;
  s.begin();
  s.number("a", "1");
  s.number("a", "bomb");
  s.number("a", "2");
  s.settle();
  CHECK(s.state({"tally", "a"}) == json{{"sum", 3}, {"count", 2}});
  REQUIRE(s.disk.quarantined.size() == 1);
  CHECK(s.disk.quarantined[0].place == 1);
  CHECK(s.disk.quarantined[0].input == "bomb");
  s.begin();
  s.settle();
  CHECK(s.disk.quarantined.size() == 1);
  CHECK(s.disk.out["dead-letter"].size() == 1);
}

TEST_CASE("showing an entity answers with committed state; an unknown one is refused by name") {
  shard_life s;
  s.begin();
  s.world->run_all();
  s.number("a", "4");
  s.world->feed(numbers, 1);
  s.world->ingress_calls.front()();
  s.world->ingress_calls.clear();
  s.machine().on_show({"tally", "a"}, request_ref(1));
  s.machine().on_show({"tally", "b"}, request_ref(2));
  s.world->run_all();
  CHECK(s.world->replies.at(1)["state"]["sum"] == 4);
  CHECK(s.world->replies.at(1)["committed_us"] == to_micros(s.clock));
  CHECK(s.state({"tally", "a"})["sum"] == 4);
  CHECK(s.world->replies.at(2)["error"] == "unknown_entity");
  s.machine().on_show({"tallies", "a"}, request_ref(3));
  CHECK(s.world->replies.at(3)["detail"] == R"(there is no "tallies"; kinds are tally, savings)");
  CHECK(!s.disk.entities.contains({"tally", "b"}));
}

TEST_CASE("an entity that comes to be while its absence is being told stays") {
  shard_life s;
  s.begin();
  s.world->run_all();
  const entity_id x{"savings", "x"};
  const auto let = [](auto& calls) {
    const auto call = std::move(calls.front());
    calls.pop_front();
    call();
  };
  s.machine().on_show(x, request_ref(1));
  let(s.world->store_reads);  // Loads nothing; the commit that the answer waits for is under way.
  REQUIRE(s.world->store_calls.size() == 1);
  CHECK(s.world->entity_calls.empty());  // What is not there has no state.
  std::string error;
  SUBCASE("when somebody else looks at it") {
    s.machine().on_show(x, request_ref(2));
    error = "unknown_entity";
  }
  SUBCASE("when somebody else looks at it, much later than idle entities stay") {
    s.machine().on_show(x, request_ref(2));
    s.clock += 601s;
    s.machine().on_wake();
    error = "unknown_entity";
  }
  SUBCASE("when it takes its first message") {
    s.machine().on_request(x, {"deposit", {{"amount", 5}}}, "", request_ref(2));
    let(s.world->entity_calls);
  }
  s.world->run_all();
  CHECK(s.world->replies.at(1)["error"] == "unknown_entity");
  REQUIRE(s.world->replies.contains(2));
  CHECK(s.world->replies.at(2).value("error", "") == error);
  s.machine().on_request(x, {"deposit", {{"amount", 7}}}, "", request_ref(3));
  s.world->run_all();
  CHECK(s.world->replies.at(3)["balance"] == (error.empty() ? 12 : 7));
}

TEST_CASE("an owner that was replaced without noticing answers nobody") {
  shard_life s;
  s.begin();
  s.world->run_all();
  s.number("a", "4");
  s.settle();
  s.disk.era = epoch(s.disk.era.value() +
                     1);  // Another has taken the shard; nothing waits to be written here.
  s.machine().on_show({"tally", "a"}, request_ref(1));
  s.world->run_all();
  CHECK(s.world->replies.empty());
  REQUIRE(s.world->failure);
  CHECK(s.world->failure->what == shard_failure::kind::fenced);
}

TEST_CASE("idle entities are passivated and come back with their state") {
  shard_life s;
  s.begin();
  s.number("a", "4");
  s.settle();
  CHECK(s.machine().progress().residents == 1);
  s.clock += 601s;
  s.machine().on_wake();
  CHECK(s.machine().progress().residents == 0);
  s.number("a", "6");
  s.settle();
  CHECK(s.state({"tally", "a"})["sum"] == 10);
}

TEST_CASE("a log that is ahead of the database stops the shard with a reason") {
  shard_life s;
  s.disk.out["fifths"].emplace_back(sequence(9), "5");
  s.begin();
  s.world->run_all();
  REQUIRE(s.world->failure);
  CHECK(s.world->failure->what == shard_failure::kind::state);
}

TEST_CASE("a later owner's records do not look like a foreign log to the former one") {
  for (const bool live : {false, true}) {
    shard_life s;
    s.begin();
    std::mt19937_64 random(1);
    while (s.world->egress_calls.empty()) s.world->step(random);
    if (live) s.world->run_all();
    s.disk.era = epoch(s.disk.era.value() + 1);
    s.disk.out["fifths"].emplace_back(sequence(1), "5");
    if (live) s.machine().on_egress_lost("fifths", "timed out");
    s.world->run_all();
    REQUIRE(s.world->failure);
    CHECK(s.world->failure->what == shard_failure::kind::fenced);
  }
}

TEST_CASE("draining commits and delivers everything before it lets go") {
  shard_life s;
  s.begin();
  s.world->run_all();
  for (int n = 1; n <= 10; ++n) s.number("a", std::to_string(n));
  s.world->feed(numbers, 10);
  s.world->ingress_calls.front()();
  s.world->ingress_calls.clear();
  s.machine().on_drain();
  s.world->run_all();
  CHECK(s.world->drained_);
  CHECK(s.state({"tally", "a"})["count"] == 10);
  CHECK(s.egress("fifths") == counted(2));
  CHECK(s.disk.outbox["topic:fifths"].empty());
}

namespace {

/// One random history: commands, numbers, crashes, lost and ambiguous commits, interleaved at
/// random.
void run_history(std::uint64_t seed) {
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  shard_life s;
  s.rules.restarts_per_minute_max = 10'000;
  s.begin();
  std::int64_t sum = 0, deposits = 0, fifths = 0, requests = 0, letters = 0;
  for (int i = 0; i < 400; ++i) {
    switch (random() % 12) {
      case 0:
      case 1: {
        if (random() % 10 == 0) {
          s.number("a", "not a number");
          ++letters;
          break;
        }
        const auto n = static_cast<std::int64_t>(random() % 100);
        sum += n;
        fifths += n % 5 == 0;
        s.number(random() % 2 ? "a" : "b", std::to_string(n));
        break;
      }
      case 2:
        s.command(random() % 2 ? "x" : "y", "deposit", {{"amount", 3}},
                  random() % 2 ? "c" + std::to_string(i) : "");
        deposits += 3;
        break;
      case 3:
        s.command("x", "transfer", {{"amount", 1}, {"to", "y"}});
        break;
      case 4:
        s.world->feed(numbers, 1 + random() % 20);
        break;
      case 5:
        s.world->feed(commands, 1 + random() % 20);
        break;
      case 6:
        if (random() % 8 == 0) s.begin();  // kill -9
        break;
      case 7:
        if (random() % 6 == 0)
          s.world->next_commit =
              random() % 2 ? model_world::fault::lost_before : model_world::fault::lost_after;
        break;
      case 8:
        s.clock += std::chrono::milliseconds(random() % 500);
        if (!s.world->failure) s.machine().on_wake();
        break;
      case 9:
        s.machine().on_request({"savings", "z"}, {"deposit", {{"amount", 1}}},
                               "same " + std::to_string(requests / 3),
                               request_ref(100 + random() % 50));
        ++requests;
        break;
      default:
        for (auto k = random() % 8; k > 0; --k) s.world->step(random);
    }
    if (s.world->failure) s.begin();
  }
  s.settle();
  const auto a = s.state({"tally", "a"}), b = s.state({"tally", "b"});
  CHECK(a.value("sum", std::int64_t{0}) + b.value("sum", std::int64_t{0}) == sum);
  CHECK(static_cast<std::int64_t>(s.disk.rows.size()) == fifths);
  const auto x = s.state({"savings", "x"}), y = s.state({"savings", "y"});
  CHECK(x.value("balance", std::int64_t{0}) + y.value("balance", std::int64_t{0}) == deposits);
  const auto z = s.state({"savings", "z"});
  CHECK(z.value("balance", std::int64_t{0}) <= requests / 3 + 1);
  for (const auto* name : {"fifths", "balances", "dead-letter"})
    CHECK(s.egress(name) == counted(s.disk.out[name].size()));
  CHECK(static_cast<std::int64_t>(s.disk.out["fifths"].size()) == fifths);
  CHECK(static_cast<std::int64_t>(s.disk.out["dead-letter"].size()) == letters);
  CHECK(s.disk.positions["numbers"].value() ==
        static_cast<std::int64_t>(s.disk.in["numbers"].size()));
  CHECK(s.disk.positions["commands"].value() ==
        static_cast<std::int64_t>(s.disk.in["commands"].size()));
}

}  // namespace

TEST_CASE("random histories with crashes and ambiguous commits end as if undisturbed") {
  for (std::uint64_t seed = 1; seed <= 500; ++seed) run_history(seed);
}
