#include "runtime/metrics/instruments.hpp"

#include <doctest/doctest.h>

#include <future>
#include <latch>
#include <limits>
#include <numeric>
#include <thread>

#include "runtime/base/ensure.hpp"

using namespace troupe::metrics;
using namespace std::chrono_literals;

namespace {

template <class Work>
void on_threads(int count, Work work) {
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) threads.emplace_back(work);
  for (auto& t : threads) t.join();
}

}  // namespace

TEST_CASE("no increment is lost between threads, whether they share a lane or not") {
  counter c;
  gauge g;
  histogram h({1, 2, 3});
  on_threads(12, [&] {
    for (int i = 0; i < 10'000; ++i) {
      c.add();
      c.add(2);
      g.add(i % 2 == 0 ? 3 : -1);
      h.observe(i % 4 + 1);
    }
  });
  CHECK(c.value() == 12 * 30'000);
  CHECK(g.value() == 12 * 10'000);
  CHECK(h.read().sum == 12 * 25'000);
  CHECK(h.read().counts == std::vector<std::uint64_t>(4, 12 * 2'500));
}

TEST_CASE("two threads on one lane lose nothing") {
  counter c;
  constexpr int threads_count = 9,
                each = 10'000'000;  // There are eight lanes: first and last share.
  std::latch begin(1);
  std::vector<std::thread> threads;
  for (int i = 0; i < threads_count; ++i) {
    std::promise<void> has_lane;
    auto ready = has_lane.get_future();
    threads.emplace_back([&, i, told = std::move(has_lane)]() mutable {
      c.add(0);
      told.set_value();
      begin.wait();
      for (int n = 0; n < each && (i == 0 || i == threads_count - 1); ++n) c.add();
    });
    ready.wait();
  }
  begin.count_down();
  for (auto& t : threads) t.join();
  CHECK(c.value() == 2 * each);
}

TEST_CASE("a bucket's bound belongs to the bucket") {
  histogram h({-1, 0.5, 10});
  for (double v : {-5.0, -1.0, -0.5, 0.5, 0.50001, 10.0, 10.5, 1e300}) h.observe(v);
  CHECK(h.read().counts == std::vector<std::uint64_t>{2, 2, 2, 2});
}

TEST_CASE("infinities are observed, what is not a number is not") {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  histogram h({0});
  h.observe(std::numeric_limits<double>::quiet_NaN());
  CHECK(h.read().counts == std::vector<std::uint64_t>{0, 0});
  CHECK(h.read().sum == 0);
  h.observe(infinity);
  h.observe(-infinity);
  CHECK(h.read().counts == std::vector<std::uint64_t>{1, 1});
}

TEST_CASE("durations are observed in seconds") {
  histogram h({0.001, 0.1});
  h.observe(1ms);
  h.observe(20ms);
  h.observe(2min);
  CHECK(h.read().counts == std::vector<std::uint64_t>{1, 1, 1});
  CHECK(h.read().sum == doctest::Approx(120.021));
}

TEST_CASE("many buckets are all counted, on every cache line") {
  std::vector<double> bounds(37);
  std::iota(bounds.begin(), bounds.end(), 0.0);
  histogram h(bounds);
  for (int v = 0; v < 38; ++v)
    for (int times = 0; times <= v; ++times) h.observe(v);
  std::vector<std::uint64_t> expected(38);
  std::iota(expected.begin(), expected.end(), 1u);
  CHECK(h.read().counts == expected);
}

TEST_CASE("bounds that do not ascend are a defect") {
  for (const auto& bounds : {std::vector<double>{1, 1}, std::vector<double>{2, 1},
                             std::vector<double>{1, std::numeric_limits<double>::infinity()},
                             std::vector<double>{std::numeric_limits<double>::quiet_NaN()}})
    CHECK_THROWS_AS(histogram{bounds}, troupe::broken_invariant);
}

TEST_CASE("exponential bounds grow by their factor") {
  CHECK(exponential_bounds(1, 4, 4) == std::vector<double>{1, 4, 16, 64});
}

TEST_CASE("instruments side by side do not share cache lines") {
  CHECK(alignof(counter) >= cache_line);
  CHECK(alignof(gauge) >= cache_line);
  CHECK(alignof(histogram) >= cache_line);
}
