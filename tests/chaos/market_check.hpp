#pragma once

#include "tests/chaos/market_run.hpp"

namespace troupe::test {

/// What one node that nobody disturbs makes of so many records of so many symbols in so many
/// shards; made once.
const market_outcome& undisturbed(const market_run::records& records);

/// Nothing is missing, doubled or other than in the undisturbed outcome.
void check_outcome(const market_outcome& outcome, const market_run::records& records);

}  // namespace troupe::test
