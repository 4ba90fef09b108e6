#include <doctest/doctest.h>

#include <deque>
#include <map>
#include <random>
#include <set>

#include "actors/ops/notification_entity.hpp"
#include "tests/actors/ops/channel_support.hpp"

using namespace troupe;
using namespace troupe::ops;
using nlohmann::json;
using namespace std::chrono_literals;

namespace {

/// The runtime as far as one channel sees it: states are saved with each unit, timers are durable,
/// calls are made after the commit and get lost, as do their answers, when the node dies.
class lossy_world {
 public:
  explicit lossy_world(unsigned seed) : random_(seed) {
    notification_options o;
    o.channels["c"] = {channel_type::webhook, "http://example.org/", "0123456789abcdef"};
    o.delivery.timeout = 1s;
    o.delivery.backoff = 50ms;
    o.delivery.backoff_max = 2s;
    o.delivery.attempts_max = 4;
    o.delivery.age_max = 30s;
    o.delivery.queue_max = 25;
    kind_ = make_notification_kind(std::make_shared<const notification_options>(std::move(o)));
  }

  void run(int notices) {
    for (int i = 0; i < notices; ++i) {
      tell("n" + std::to_string(random_() % static_cast<unsigned>(notices)));
      for (auto steps = random_() % 4; steps > 0; --steps) step();
    }
    for (int i = 0; i < 100'000 && (timer_ || !calls_.empty()); ++i) step();
  }

  std::set<std::string> accepted, arrived;
  std::map<std::string, int> dead;
  json state() const { return json::parse(saved_); }
  bool at_rest() const { return !timer_ && calls_.empty(); }

 private:
  void tell(const std::string& id) {
    const json body{{"id", id}, {"rule", "fills"}, {"text", "x"}, {"facts", json::object()}};
    if (unit({"notify", body}).at("accepted") == true) CHECK(accepted.insert(id).second);
  }

  /// One unit and its commit. A crash before the commit: it is as if it had never been, and comes
  /// again.
  json unit(const message& what) {
    const entity_id self{"notification", "c"};
    effects out;
    auto core = kind_.make(self);
    if (!saved_.empty()) core->load(saved_, kind_.schema);
    core->handle(what, {self, now_}, out);
    if (random_() % 10 == 0) {
      calls_.clear();
      return unit(what);
    }
    if (!out.read_only) saved_ = core->save();
    for (auto& change : out.timers) timer_ = change.due;
    for (auto& record : out.records) {
      const auto letter = json::parse(record.payload);
      ++dead[json::parse(letter.at("payload").get<std::string>()).at("id").get<std::string>()];
    }
    for (auto& call : out.calls)
      if (call.service == webhook_service) calls_.push_back(std::move(call));
    return out.answer.value_or(json::object());
  }

  void step() {
    const auto lot = random_() % 10;
    if (lot == 0) return calls_.clear();  // The node dies.
    if (!calls_.empty() && lot < 6) return attempt();
    now_ += 37ms;
    if (timer_ && *timer_ <= now_) {
      timer_.reset();
      unit({"carry", json::object()});
    }
  }

  void attempt() {
    const auto at = calls_.begin() + static_cast<std::ptrdiff_t>(random_() % calls_.size());
    const auto id = at->id;
    calls_.erase(at);
    const auto lot = random_() % 10;
    const auto* outcome = lot < 4 ? "delivered" : lot < 9 ? "failed" : "refused";
    if (lot < 4) arrived.insert(id);
    if (random_() % 5 == 0) return;  // The answer is lost.
    unit({"call_answered", {{"id", id}, {"answer", {{"outcome", outcome}, {"detail", "d"}}}}});
  }

  std::mt19937 random_;
  kind_def kind_;
  std::string saved_;
  time_point now_ = ops::test::start;
  std::optional<time_point> timer_;
  std::deque<effects::called> calls_;
};

}  // namespace

TEST_CASE("every accepted id is delivered or named dead, whatever dies and gets lost between") {
  std::size_t delivered = 0, dead = 0;
  for (unsigned seed = 1; seed <= 300; ++seed) {
    lossy_world world(seed);
    world.run(80);
    REQUIRE(world.at_rest());
    const auto state = world.state();
    CHECK(state.at("waiting").empty());
    for (const auto& id : world.accepted) {
      const bool died = world.dead.contains(id);
      if (!world.arrived.contains(id) && !died) FAIL_CHECK("seed " << seed << ": " << id);
      if (died) CHECK(world.dead.at(id) == 1);
    }
    CHECK(state.at("delivered").get<std::size_t>() + state.at("dead").get<std::size_t>() ==
          world.accepted.size());
    CHECK(state.at("dead") == world.dead.size());
    delivered += world.arrived.size();
    dead += world.dead.size();
  }
  CHECK(delivered > 1000);
  CHECK(dead > 1000);
}
