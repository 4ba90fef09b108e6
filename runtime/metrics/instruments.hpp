#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace troupe::metrics {

/// Instruments are counted on by any thread without lock or lookup: keep the reference that the
/// registry gave.

inline constexpr std::size_t cache_line = 64;

/// Only grows. Threads count on lanes of their own: two threads on one atomic cost twice as much an
/// increment as two threads on two, and more threads more.
class counter {
 public:
  void add(std::uint64_t n = 1) noexcept {
    lanes_[own_lane()].count.fetch_add(n, std::memory_order_relaxed);
  }

  std::uint64_t value() const noexcept;

 private:
  static constexpr std::size_t lanes = 8;
  struct alignas(cache_line) lane {
    std::atomic<std::uint64_t> count{0};
  };

  static std::size_t own_lane() noexcept {
    thread_local const std::size_t own = next_lane_.fetch_add(1, std::memory_order_relaxed) % lanes;
    return own;
  }

  static inline std::atomic<std::size_t> next_lane_{0};
  std::array<lane, lanes> lanes_;
};

/// Goes up and down.
class alignas(cache_line) gauge {
 public:
  void set(double v) noexcept { value_.store(v, std::memory_order_relaxed); }
  void add(double n) noexcept { value_.fetch_add(n, std::memory_order_relaxed); }
  double value() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0};
};

/// Counts observations in buckets with fixed upper bounds, inclusive; a last bucket without bound
/// takes the rest.
class histogram {
 public:
  /// Requires: `bounds` are finite and strictly ascending.
  explicit histogram(std::vector<double> bounds);

  /// What is not a number is not counted.
  void observe(double v) noexcept;

  /// In seconds, the unit of all durations.
  template <class Rep, class Period>
  void observe(std::chrono::duration<Rep, Period> d) noexcept {
    observe(std::chrono::duration<double>(d).count());
  }

  struct snapshot {
    std::vector<std::uint64_t>
        counts;  // One a bucket, not cumulated; the last is the bucket without bound.
    double sum = 0;
  };
  /// Observations made meanwhile may be in the counts and not yet in the sum.
  snapshot read() const;

  const std::vector<double>& bounds() const noexcept { return bounds_; }

 private:
  struct alignas(cache_line) line {
    std::array<std::atomic<std::uint64_t>, cache_line / sizeof(std::uint64_t)> counts{};
  };

  std::atomic<std::uint64_t>& count_at(std::size_t bucket) const noexcept;

  const std::vector<double> bounds_;
  const std::unique_ptr<line[]>
      lines_;  // Whole cache lines: neighbours on the heap do not share them.
  alignas(cache_line) std::atomic<double> sum_{0};
};

/// Bounds from `first` on, each `factor` times the one before. Requires: first > 0, factor > 1.
std::vector<double> exponential_bounds(double first, double factor, std::size_t count);

/// 100 microseconds to 10 seconds in steps of 1, 2.5, 5: commits, requests, hand-offs.
std::vector<double> latency_bounds();

}  // namespace troupe::metrics
