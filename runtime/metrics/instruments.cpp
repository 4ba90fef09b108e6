#include "runtime/metrics/instruments.hpp"

#include <algorithm>
#include <cmath>

#include "runtime/base/ensure.hpp"

namespace troupe::metrics {

namespace {

bool strictly_ascending(const std::vector<double>& bounds) {
  return std::adjacent_find(bounds.begin(), bounds.end(), std::greater_equal<>()) == bounds.end();
}

bool all_finite(const std::vector<double>& bounds) {
  return std::all_of(bounds.begin(), bounds.end(), [](double b) { return std::isfinite(b); });
}

}  // namespace

std::uint64_t counter::value() const noexcept {
  std::uint64_t sum = 0;
  for (const lane& l : lanes_) sum += l.count.load(std::memory_order_relaxed);
  return sum;
}

histogram::histogram(std::vector<double> bounds)
    : bounds_(std::move(bounds)),
      lines_(std::make_unique<line[]>(bounds_.size() / std::tuple_size_v<decltype(line::counts)> +
                                      1)) {
  ensure(all_finite(bounds_) && strictly_ascending(bounds_),
         "histogram bounds are finite and strictly ascending");
}

void histogram::observe(double v) noexcept {
  if (std::isnan(v)) return;
  const auto bucket = std::lower_bound(bounds_.begin(), bounds_.end(), v) - bounds_.begin();
  count_at(static_cast<std::size_t>(bucket)).fetch_add(1, std::memory_order_relaxed);
  sum_.fetch_add(v, std::memory_order_relaxed);
}

histogram::snapshot histogram::read() const {
  snapshot s;
  s.sum = sum_.load(std::memory_order_relaxed);
  for (std::size_t i = 0; i <= bounds_.size(); ++i)
    s.counts.push_back(count_at(i).load(std::memory_order_relaxed));
  return s;
}

std::atomic<std::uint64_t>& histogram::count_at(std::size_t bucket) const noexcept {
  constexpr auto per_line = std::tuple_size_v<decltype(line::counts)>;
  return lines_[bucket / per_line].counts[bucket % per_line];
}

std::vector<double> exponential_bounds(double first, double factor, std::size_t count) {
  ensure(first > 0 && factor > 1, "exponential bounds grow");
  std::vector<double> bounds;
  for (double b = first; bounds.size() < count; b *= factor) bounds.push_back(b);
  return bounds;
}

std::vector<double> latency_bounds() {
  return {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
          0.05,   0.1,     0.25,   0.5,   1,      2.5,   5,    10};
}

}  // namespace troupe::metrics
