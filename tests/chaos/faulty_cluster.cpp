#include "tests/chaos/faulty_cluster.hpp"

#include <algorithm>
#include <numeric>

#include "tests/chaos/market_check.hpp"

namespace troupe::test {

using namespace std::chrono_literals;

namespace {

constexpr int transfers_max = 50;  // In one call of `send`.

std::uint64_t other_seed() {
  const char* text = std::getenv("TROUPE_CHAOS_SEED");
  return text == nullptr ? 0 : std::stoull(text) * 1000;
}

}  // namespace

faulty_cluster::faulty_cluster(std::uint64_t seed, const market_run::records& records,
                               bool listening)
    : random(seed + other_seed()),
      run(records, {MIXED_NODE}),
      records_(records),
      listening_(listening),
      accounts_(run.folder(), seed),
      listeners_(run) {}

void faulty_cluster::check(const std::function<void(steady_load&)>& fault) {
  const auto outcome = run.play(fault, 240s, [this](int from, int to) { send(from, to); });
  wait_until("all transfers, and the last events heard", 60s, [&] { return settled(); });
  check_outcome(outcome, records_);
  check_books();
}

void faulty_cluster::send(int from, int to) {
  if (from == 0) {
    accounts_.open();
    if (listening_) listeners_.listen();
  }
  run.send(from, to);
  accounts_.transfer(std::min(to - from, transfers_max));
}

/// What all of this leads to waits in the outbox, which is therefore looked at last.
bool faulty_cluster::settled() {
  try {
    return accounts_.settled() && (!listening_ || listeners_.heard_all()) && run.settled();
  } catch (const std::exception&) {
    return false;  // PostgreSQL may be away.
  }
}

void faulty_cluster::check_books() {
  accounts_.check();
  if (listening_) listeners_.check();
}

std::vector<int> faulty_cluster::some_nodes(int count) {
  std::vector<int> all(static_cast<std::size_t>(run.nodes()));
  std::iota(all.begin(), all.end(), 1);
  std::ranges::shuffle(all, random);
  all.resize(static_cast<std::size_t>(count));
  return all;
}

}  // namespace troupe::test
