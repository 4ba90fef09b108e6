#include "tests/chaos/steady_load.hpp"

#include <algorithm>
#include <chrono>

#include "tests/support/node_process.hpp"

namespace troupe::test {

using namespace std::chrono_literals;

namespace {

constexpr auto pace = 100ms;
constexpr int step_max = 15;

}  // namespace

steady_load::steady_load(send_fn send, int each_max)
    : send_(std::move(send)), each_max_(each_max) {}

steady_load::~steady_load() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
}

void steady_load::go() {
  stop_ = false;
  thread_ = std::thread([this] { send_all(); });
}

void steady_load::pause() {
  stop_ = true;
  thread_.join();
  if (problem_) std::rethrow_exception(problem_);
}

/// As long as Kafka may take to come back.
void steady_load::pass(int times) const {
  const int goal = times_ + times;
  wait_until("records of a steady load", 180s, [&] { return times_ >= goal || over(); });
}

void steady_load::send_all() {
  using clock = std::chrono::steady_clock;
  try {
    for (auto due = clock::now(); !stop_ && !over(); due = std::max(due + pace, clock::now())) {
      std::this_thread::sleep_until(due);
      const int to = each_ + std::clamp((each_max_ - each_) / 500, 1, step_max);
      send_(each_, to);
      each_ = to;
      ++times_;
    }
  } catch (...) {
    problem_ = std::current_exception();
  }
}

}  // namespace troupe::test
