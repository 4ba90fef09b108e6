// Entities that fail: which of it is an input's fault, and which is not.
#include <doctest/doctest.h>

#include "runtime/codec/text.hpp"
#include "tests/runtime/entity/ear.hpp"
#include "tests/runtime/entity/shard_lives.hpp"
#include "tests/runtime/entity/tally.hpp"
#include "tests/support/savings_account.hpp"

using namespace troupe;
using namespace troupe::test;
using nlohmann::json;
using namespace std::chrono_literals;

namespace {

/// Counts its messages; from the second on its state cannot be saved.
class stone final : public entity {
 public:
  void load(std::string_view, int) override {}
  std::string save() const override {
    if (count_ > 1) throw std::runtime_error("stones do not count that far");
    return "{}";
  }
  void handle(const message&, const context&, effects&) override { ++count_; }

 private:
  int count_ = 0;
};

kind_def stone_kind() {
  return {"stone", 1, false, [](const entity_id& id) {
            if (id.key == "unmakable") throw std::runtime_error("there is no such stone");
            return std::make_unique<stone>();
          }};
}

const entity_id x{"savings", "x"}, y{"savings", "y"}, ear_x{"ear", "x"};

/// A shard of many kinds and its successive lives.
struct frail_shard : shard_lives {
  shard_supervision::verdict verdict;
  std::uint64_t requests = 0;

  frail_shard() {
    setup.things.kinds = {tally_kind(), ear_kind(), example::savings_kind(), stone_kind()};
    setup.things.ingress = {numbers_topic()};
    setup.things.egress = {"fifths", "heard", std::string(example::balances_topic),
                           std::string(dead_letter_topic)};
    setup.shard_of = [](const entity_id&) { return shard_id(0); };
    begin();
    world->run_all();
    tell(x, {"deposit", {{"amount", 5}}});
  }
  /// Lets everything happen that waits; a shard that fails begins anew if it may.
  void run() {
    world->run_all();
    if (!world->failure) return;
    verdict = supervision.on_failure(*world->failure, steady_time{});
    if (!verdict.restart) return;
    begin();
    world->run_all();
  }
  static void let(std::deque<std::function<void()>>& calls) {
    REQUIRE(!calls.empty());
    const auto call = std::move(calls.front());
    calls.pop_front();
    call();
  }
  bool given_up() const { return !verdict.restart; }
  void ask(const entity_id& to, message what) {
    world->machine->on_request(to, std::move(what), "", request_ref(++requests));
  }
  void tell(const entity_id& to, message what) {
    ask(to, std::move(what));
    world->run_all();
  }
  /// Nobody of this shard can load it.
  void spoil(const entity_id& of, bool follows = false) {
    disk.entities[of] = {of, 1, "{}", follows};
  }
};

}  // namespace

TEST_CASE("who fails to be loaded or saved is not the fault of the input that runs meanwhile") {
  frail_shard s;
  entity_id culprit = y;
  SUBCASE("a follower that is revived while another's timer is due") {
    culprit = ear_x;
    s.tell(x, {"promise_bonus", {{"amount", 7}, {"delay_ms", 1000}}});
    s.spoil(ear_x, true);
    s.clock += 2s;
    s.begin();
  }
  SUBCASE("an entity that is shown while another is told something") {
    s.spoil(y);
    s.world->machine->on_show(y, request_ref(99));
    s.let(s.world->store_reads);
    s.ask(x, {"deposit", {{"amount", 1}}});
  }
  SUBCASE("an entity that is saved while another is told something") {
    culprit = {"stone", "s"};
    s.tell(culprit, {"count", {}});
    s.ask(culprit, {"count", {}});
    s.let(s.world->entity_calls);  // Its save is under way.
    s.ask(x, {"deposit", {{"amount", 1}}});
  }
  SUBCASE("an entity that is told something itself") {
    s.spoil(y);
    s.ask(y, {"deposit", {{"amount", 1}}});
  }
  for (int life = 0; life < 5 && !s.given_up(); ++life) s.run();
  CHECK(s.given_up());
  REQUIRE(s.world->failure);
  CHECK(s.world->failure->what == shard_failure::kind::state);
  CHECK(s.world->failure->entity == culprit);
  CHECK(s.world->failure->input == input_ref{});
  CHECK(s.disk.quarantined.empty());
  CHECK(s.disk.entities.at(culprit).state == "{}");
}

TEST_CASE("an entity that was never stored and cannot be made fails for the input that calls it") {
  frail_shard s;
  for (int life = 0; life < 4; ++life) {
    s.ask({"stone", "unmakable"}, {"count", {}});
    s.ask(x, {"deposit", {{"amount", 1}}});
    s.requests = 1;  // A client that asks again is the same input.
    s.run();
  }
  CHECK(!s.given_up());
  REQUIRE(s.disk.quarantined.size() == 1);
  CHECK(s.disk.quarantined[0].entity == entity_id{"stone", "unmakable"});
  s.requests = 9;
  s.tell(x, {"deposit", {{"amount", 1}}});
  CHECK(s.world->replies.at(10).contains("balance"));
}
