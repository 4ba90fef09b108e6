#include "runtime/entity/health.hpp"

#include <doctest/doctest.h>

using namespace troupe;
using namespace std::chrono_literals;

namespace {

constexpr time_point now{1'000'000s};
constexpr steady_time steady{1'000'000s};

status_board::entry live_shard() {
  status_board::entry e;
  e.owned = true;
  e.now.live = true;
  e.advanced = steady;
  return e;
}

/// What is said of shard 1, beside one that is well.
std::vector<std::string> problems_of(const status_board::entry& shard) {
  const auto report = judge({live_shard(), shard}, now, steady, {});
  CHECK(report.healthy == report.problems.empty());
  return report.problems;
}

}  // namespace

TEST_CASE("a shard is well as long as it advances, and each way of not advancing has its words") {
  struct row {
    const char* words;
    void (*change)(status_board::entry&);
  };
  const std::vector<row> table{
      {"", [](auto&) {}},
      {"", [](auto& e) { e.now.lag = 1'000'000; }},
      {"", [](auto& e) { e.owned = false, e.now.live = false, e.advanced = {}; }},
      {"", [](auto& e) { e.now.live = false; }},
      {"given up: no more", [](auto& e) { e.stopped = "no more"; }},
      {"has not come to life for 16 s: no database",
       [](auto& e) {
         e.now.live = false, e.advanced = steady - 16s, e.last_failure = "no database";
       }},
      {"oldest uncommitted input is 16 s old",
       [](auto& e) { e.now.uncommitted_since = now - 16s; }},
      {"oldest undelivered message is 31 s old",
       [](auto& e) { e.now.undelivered_since = now - 31s; }},
      {"has not advanced for 16 s with a lag of 7",
       [](auto& e) { e.advanced = steady - 16s, e.now.lag = 7; }},
      {"", [](auto& e) { e.advanced = steady - 16s; }},
      {"", [](auto& e) { e.now.lag = 7, e.now.starved_since = now - 14s; }},
      // Also while something else advances.
      {"nothing of topic market has come for 16 s with a lag of 7",
       [](auto& e) {
         e.now.lag = 7, e.now.starved_since = now - 16s, e.now.starved_of = "market";
       }},
  };
  for (const auto& [words, change] : table) {
    CAPTURE(words);
    auto shard = live_shard();
    change(shard);
    const auto found = problems_of(shard);
    if (*words == '\0')
      CHECK(found.empty());
    else
      CHECK(found == std::vector{"shard 1: " + std::string(words)});
  }
}

TEST_CASE("ready is who owns live shards only") {
  auto down = live_shard();
  down.now.live = false;
  CHECK(judge({live_shard()}, now, steady, {}).ready);
  CHECK_FALSE(judge({live_shard(), down}, now, steady, {}).ready);
  down.owned = false;
  CHECK(judge({live_shard(), down}, now, steady, {}).ready);
}

TEST_CASE(
    "a shard that has nothing to do counts as advancing, one with a lag only by what it does") {
  status_board board(1);
  board.own(shard_id(0), true);
  const auto advanced = [&] { return board.read()[0].advanced; };
  shard_progress p;
  p.live = true;
  board.post(shard_id(0), p, steady);
  CHECK(advanced() == steady);
  p.lag = 3;  // As told by the log, though nothing of it has come.
  board.post(shard_id(0), p, steady + 1s);
  CHECK(advanced() == steady);
  p.applied = 1;
  board.post(shard_id(0), p, steady + 2s);
  CHECK(advanced() == steady + 2s);
}
