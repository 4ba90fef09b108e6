#pragma once

#include "runtime/entity/entity.hpp"

namespace troupe::test {

/// A kind for tests that follows tallies: counts and sums what it hears, and publishes a record of
/// topic `heard` with every tenth number of a tally. Messages: `follow {"tally", "from"}`,
/// `unfollow {"tally"}`, `hold_at {"multiple_of", "bank"}` (takes such a number, asks this bank to
/// confirm it, and takes nothing more until it has), `bomb_at {"number"}` (throws on it).
kind_def ear_kind();
kind_def bank_kind();

}  // namespace troupe::test
