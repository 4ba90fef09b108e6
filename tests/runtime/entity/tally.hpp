#pragma once

#include "runtime/entity/ingress.hpp"

namespace troupe::test {

/// A log-fed kind for tests: sums the numbers of its log; every fifth becomes a row and a record of
/// topic `fifths`; `bomb` throws.
kind_def tally_kind();
/// The i-th number of a batch of `numbers`.
std::int64_t number_at(const event_batch& batch, std::size_t i);
/// Topic `numbers`, keyed by tally: a decimal number or `bomb`; anything else is refused as
/// `not_a_number`.
ingress_def numbers_topic();

}  // namespace troupe::test
