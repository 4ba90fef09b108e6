#include <doctest/doctest.h>

#include "runtime/entity/health.hpp"

using namespace troupe;
using namespace std::chrono_literals;

namespace {

constexpr time_point now = time_point{} + 1'000'000s;
constexpr steady_time steady = steady_time{} + 1'000'000s;

/// A shard that is fine: owned, live, without anything to do.
status_board::entry idle() {
  status_board::entry e;
  e.owned = e.now.live = true;
  e.advanced = steady;
  return e;
}

struct row {
  const char* name;
  std::function<void(status_board::entry&)> change;
  bool ready;
  std::string problem;  // Of shard 1; empty: none.
};

}  // namespace

TEST_CASE("what is wrong with a shard is said by name, what is on its way is not wrong") {
  const row rows[] = {
      {"nothing to do", [](auto& e) { e.advanced = steady - 1h; }, true, ""},
      {"given up", [](auto& e) { e.stopped = "bad state", e.now.live = false; }, false,
       "given up: bad state"},
      {"given up, whatever else", [](auto& e) { e.stopped = "x", e.now.lag = 1; }, true,
       "given up: x"},
      {"coming to life", [](auto& e) { e.now.live = false, e.advanced = steady - 15s; }, false, ""},
      {"not coming to life", [](auto& e) { e.now.live = false, e.advanced = steady - 16s; }, false,
       "has not come to life for 16 s"},
      {"and why",
       [](auto& e) { e.now.live = false, e.advanced = steady - 90s, e.last_failure = "no store"; },
       false, "has not come to life for 90 s: no store"},
      {"uncommitted for a while", [](auto& e) { e.now.uncommitted_since = now - 15s; }, true, ""},
      {"uncommitted for long", [](auto& e) { e.now.uncommitted_since = now - 16s; }, true,
       "oldest uncommitted input is 16 s old"},
      {"undelivered for a while", [](auto& e) { e.now.undelivered_since = now - 30s; }, true, ""},
      {"undelivered for long", [](auto& e) { e.now.undelivered_since = now - 31s; }, true,
       "oldest undelivered message is 31 s old"},
      {"uncommitted comes before undelivered",
       [](auto& e) { e.now.uncommitted_since = e.now.undelivered_since = now - 99s; }, true,
       "oldest uncommitted input is 99 s old"},
      {"a lag for a while", [](auto& e) { e.now.lag = 7, e.advanced = steady - 15s; }, true, ""},
      {"a lag that stands", [](auto& e) { e.now.lag = 7, e.advanced = steady - 16s; }, true,
       "has not advanced for 16 s with a lag of 7"},
      {"a topic that brings nothing, for a while",
       [](auto& e) { e.now.lag = 7, e.now.starved_since = now - 15s; }, true, ""},
      {"a topic that brings nothing, whatever else advances",
       [](auto& e) { e.now.lag = 7, e.now.starved_since = now - 16s, e.now.starved_of = "market"; },
       true, "nothing of topic market has come for 16 s with a lag of 7"},
      {"a lag that moves", [](auto& e) { e.now.lag = 1'000'000; }, true, ""},
      {"not owned",
       [](auto& e) { e.owned = e.now.live = false, e.advanced = steady - 1h, e.stopped = "once"; },
       true, ""},
  };
  for (const auto& r : rows) {
    CAPTURE(r.name);
    std::vector shards{idle(), idle()};
    r.change(shards[1]);
    const auto report = judge(shards, now, steady, {});
    CHECK(report.ready == r.ready);
    CHECK(report.healthy == r.problem.empty());
    const std::vector<std::string> none, one{"shard 1: " + r.problem};
    CHECK(report.problems == (r.problem.empty() ? none : one));
  }
}

TEST_CASE("every shard in trouble is told, one line each") {
  std::vector shards{idle(), idle(), idle()};
  shards[0].stopped = "a";
  shards[2].stopped = "c";
  const auto report = judge(shards, now, steady, {});
  CHECK(report.problems ==
        std::vector<std::string>{"shard 0: given up: a", "shard 2: given up: c"});
}
