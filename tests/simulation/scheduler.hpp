#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <random>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "runtime/base/clock.hpp"

namespace troupe::simulation {

using ms = std::chrono::milliseconds;

/// A promise that was broken: ends the run.
struct broken : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Time and chance of a simulated world. Everything that happens is a step in one queue, ordered by
/// the time at which it is due, then by when it was asked for; `run_next` moves the clock to the
/// next step and runs it. All chance comes from one generator. So a seed decides everything.
class scheduler {
 public:
  /// `tracing`: keep what `note` is told; costs time.
  scheduler(std::uint64_t seed, bool tracing)
      : random_(seed), tracing_(tracing), harshness_(static_cast<int>(below(4))) {}

  steady_time now() const { return now_; }
  time_point wall() const { return time_point(duration_cast<std::chrono::microseconds>(since())); }

  void after(ms delay, std::function<void()> what) {
    queue_.push_back({now_ + delay, ++asked_, std::move(what)});
    std::ranges::push_heap(queue_, later);
  }

  void run_next() {
    std::ranges::pop_heap(queue_, later);
    auto next = std::move(queue_.back());
    queue_.pop_back();
    now_ = next.due;
    ++steps_;
    next.what();
  }
  std::int64_t steps() const { return steps_; }

  std::uint64_t below(std::uint64_t limit) { return random_() % limit; }
  ms between(int least, int most) {
    return ms(least + static_cast<int>(below(static_cast<std::uint64_t>(most - least + 1))));
  }
  bool chance(int percent) { return below(100) < static_cast<std::uint64_t>(percent); }
  /// As `chance`, but up to three times as likely, as the run has it, and never once faults have
  /// ended.
  bool mishap(int percent) { return faults && chance(percent * harshness_); }
  bool faults = true;

  /// Adds a line to the trace.
  template <class... Parts>
  void note(const Parts&... parts) {
    if (!tracing_) return;
    std::ostringstream line;
    line << duration_cast<ms>(since() - start).count() << " ms: ";
    (print(line, parts), ...);
    if (trace_.size() == trace_max) trace_.pop_front();
    trace_.push_back(std::move(line).str());
  }
  const std::deque<std::string>& trace() const { return trace_; }

 private:
  struct step {
    steady_time due;
    std::int64_t number;
    std::function<void()> what;
  };
  static bool later(const step& a, const step& b) {
    return std::tie(a.due, a.number) > std::tie(b.due, b.number);
  }
  template <class Part>
  static void print(std::ostream& line, const Part& part) {
    if constexpr (requires { part.value(); })
      line << part.value();
    else
      line << part;
  }
  std::chrono::nanoseconds since() const { return now_.time_since_epoch(); }

  static constexpr std::chrono::hours start{1};  // Zero means "never" to the cores.
  static constexpr std::size_t trace_max = 200;

  std::mt19937_64 random_;
  const bool tracing_;
  const int harshness_;
  steady_time now_{start};
  std::vector<step> queue_;  // A heap.
  std::int64_t asked_ = 0;
  std::int64_t steps_ = 0;
  std::deque<std::string> trace_;
};

}  // namespace troupe::simulation
