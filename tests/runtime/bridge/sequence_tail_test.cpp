#include <doctest/doctest.h>

#include <random>
#include <vector>

#include "runtime/bridge/sequence_tail.hpp"

using namespace troupe;
using namespace troupe::bridge;
using seqs = std::vector<std::int64_t>;

TEST_CASE("the last sequence that is out, of a whole log") {
  using enum log_part;
  struct row {
    const char* what;
    seqs log;
    std::int64_t last;
    log_part part = from_first;
  };
  for (const auto& r :
       {row{"nothing yet", {}, 0}, row{"one", {1}, 1}, row{"in order", {1, 2, 3}, 3},
        row{"begins late: older ones have expired", {7, 8, 9}, 9, rest},
        row{"begins late: the first ones have failed", {3, 4}, 0},
        row{"the first ones have failed, then been sent again", {3, 4, 1, 2, 3}, 3},
        row{"one failed, its successors are there", {1, 2, 4, 5}, 2},
        row{"failed, then sent again", {1, 2, 4, 5, 3, 4, 5, 6}, 6},
        row{"failed, then sent again in part", {1, 2, 4, 5, 3}, 3},
        row{"doubles of a zombie", {1, 2, 3, 2, 3}, 3}, row{"two failures", {1, 3, 2, 4, 3}, 3}}) {
    CAPTURE(r.what);
    const auto tail = read_tail(r.log, r.part, 4);
    CHECK(tail.certain);
    CHECK(tail.last == r.last);
  }
}

TEST_CASE("a part of a log is certain once a run longer than what can be in flight is in it") {
  CHECK_FALSE(read_tail(seqs{10, 11, 12}, log_part::some, 3).certain);
  CHECK(read_tail(seqs{10, 11, 12, 13}, log_part::some, 3).certain);
  CHECK(read_tail(seqs{10, 11, 12, 13}, log_part::some, 3).last == 13);
  CHECK(read_tail(seqs{10, 11, 12, 13, 15, 16}, log_part::some, 3).last == 13);
  CHECK(read_tail(seqs{10, 11, 12, 13, 15, 16, 14, 15}, log_part::some, 3).last == 15);
  CHECK_FALSE(read_tail(seqs{}, log_part::some, 3).certain);
}

TEST_CASE("without certainty the answer is rather too low: doubles are harmless, gaps are not") {
  // The window begins with successors of a lost 10.
  CHECK(read_tail(seqs{11, 12, 10}, log_part::some, 3).last == 10);
}

namespace {

/// Writes a partition as the egress does, with failures: at most `inflight` unacknowledged; a
/// failed record may leave any of its successors behind, and the next opening goes on after what a
/// reader has accepted.
seqs simulate(std::mt19937& random, std::int64_t inflight) {
  const auto pick = [&](std::int64_t below) {
    return static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(below));
  };
  seqs log;
  std::int64_t accepted = 0;
  for (int opening = 0; opening < 30; ++opening) {
    const auto good = pick(3 * inflight);
    for (std::int64_t i = 0; i < good; ++i) log.push_back(++accepted);
    // Record accepted + 1 fails; of the inflight - 1 behind it some arrive.
    for (std::int64_t i = 2; i <= inflight; ++i)
      if (pick(2) == 0) log.push_back(accepted + i);
  }
  return log;
}

std::int64_t by_the_readers_rule(const seqs& log) {
  std::int64_t accepted = 0;
  for (const auto s : log)
    if (s == accepted + 1) accepted = s;
  return accepted;
}

}  // namespace

TEST_CASE("whenever a part of the log is certain it says what a reader of the whole log says") {
  std::mt19937 random(7);
  int certain = 0;
  for (int round = 0; round < 2'000; ++round) {
    const std::int64_t inflight = 2 + round % 6;
    const auto log = simulate(random, inflight);
    const auto truth = by_the_readers_rule(log);
    for (std::size_t length = 0; length <= log.size(); ++length) {
      const auto begin = seqs(log.begin(), log.begin() + static_cast<std::ptrdiff_t>(length));
      REQUIRE(read_tail(begin, log_part::from_first, static_cast<std::size_t>(inflight)).last ==
              by_the_readers_rule(begin));
    }
    for (std::size_t window = 1; window <= log.size(); window += 3) {
      const auto part = std::span(log).last(window);
      const auto tail = read_tail(part, log_part::some, static_cast<std::size_t>(inflight));
      if (!tail.certain) continue;
      ++certain;
      REQUIRE(tail.last == truth);
    }
  }
  CHECK(certain > 10'000);
}
