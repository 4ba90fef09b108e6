#pragma once

#include <vector>

#include "runtime/metrics/registry.hpp"

namespace troupe::metrics {

/// Adds what Prometheus expects of every process, read from /proc when asked:
/// process_cpu_seconds_total, process_resident_memory_bytes, process_open_fds, process_max_fds,
/// process_threads, process_start_time_seconds. They stay for as long as the result is kept.
[[nodiscard]] std::vector<registry::subscription> watch_process(registry& r);

}  // namespace troupe::metrics
