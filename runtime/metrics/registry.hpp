#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "runtime/metrics/instruments.hpp"

namespace troupe::metrics {

/// Name and value pairs that tell the series of one family apart.
using labels = std::map<std::string, std::string, std::less<>>;

/// The media type of what `registry::expose` returns.
inline constexpr std::string_view exposition_type = "text/plain; version=0.0.4; charset=utf-8";

/// All metrics of a process, by family and labels. Thread-safe.
///
/// Names are `troupe_<component>_<what>_<unit>`, or `_total` in place of the unit for a counter;
/// the metrics every process has are `process_...`. Only counters end in `_total`, and nothing in
/// `_bucket`, `_count` or `_sum`, which belong to histograms.
///
/// Asking again with the same name and labels gives the same instrument. A malformed name or label,
/// and a family whose kind, help or bounds would change, are defects of ours:
/// troupe::broken_invariant.
class registry {
 public:
  using reader = std::function<double()>;
  enum class kind { counter, gauge, histogram };
  class subscription;

  registry() = default;
  registry(const registry&) = delete;
  registry& operator=(const registry&) = delete;

  /// Instruments live as long as the registry.
  counter& make_counter(std::string_view name, std::string_view help, const labels& l = {});
  gauge& make_gauge(std::string_view name, std::string_view help, const labels& l = {});
  histogram& make_histogram(std::string_view name, std::string_view help,
                            const std::vector<double>& bounds, const labels& l = {});

  /// Reads the value when somebody asks, until the subscription ends; a reader that throws gives
  /// NaN. The reader runs under the registry's lock: it must not use the registry, nor wait for a
  /// thread that does. Requires: no series with these labels yet.
  [[nodiscard]] subscription watch_gauge(std::string_view name, std::string_view help,
                                         const labels& l, reader read);
  [[nodiscard]] subscription watch_counter(std::string_view name, std::string_view help,
                                           const labels& l, reader read);

  /// Everything in Prometheus' text format 0.0.4, families in order of their names.
  std::string expose() const;

 private:
  using series = std::variant<counter, gauge, histogram, reader>;

  struct family {
    kind is = kind::counter;
    std::string help;
    std::vector<double> bounds;  // Histograms only.
    std::map<labels, series> members;
  };

  family& family_of(std::string_view name, std::string_view help, kind is, const labels& l);
  subscription watch(std::string_view name, std::string_view help, kind is, const labels& l,
                     reader read);
  void forget(const std::string& name, const labels& l);

  mutable std::mutex mutex_;
  std::map<std::string, family, std::less<>> families_;
};

/// Ends a watch when it goes. After that the reader does not run and is not running.
/// Requires: the registry outlives it.
class registry::subscription {
 public:
  subscription() = default;
  subscription(subscription&& other) noexcept { swap(other); }
  subscription& operator=(subscription&& other) noexcept {
    subscription(std::move(other)).swap(*this);
    return *this;
  }
  ~subscription() {
    if (from_) from_->forget(name_, labels_);
  }

 private:
  friend class registry;
  subscription(registry& from, std::string_view name, const labels& l)
      : from_(&from), name_(name), labels_(l) {}
  void swap(subscription& other) noexcept {
    std::swap(from_, other.from_);
    name_.swap(other.name_);
    labels_.swap(other.labels_);
  }

  registry* from_ = nullptr;
  std::string name_;
  labels labels_;
};

}  // namespace troupe::metrics
