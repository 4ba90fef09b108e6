#pragma once

#include "runtime/entity/entity.hpp"

namespace troupe::bench {

/// `stopwatch`: follows the symbols of `listen {"symbols": [...]}` from now on and counts, in its
/// state, how long each event has been on its way since the time that it carries: `{"delays":
/// {"bucket": count}}`, buckets of 20 µs.
kind_def stopwatch_kind();

}  // namespace troupe::bench
