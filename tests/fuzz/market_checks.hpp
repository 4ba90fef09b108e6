#pragma once

#include <string_view>

namespace troupe::market::fuzz {

/// Decodes the lines of `input` as records, in two calls, and lets symbols take what comes out,
/// with save and load between. Throws broken_invariant when a record is not accounted for exactly
/// once, counters do not add up, or a saved state does not load back the same.
void check_decoder(std::string_view input);

/// Loads `input` as a symbol's state. What is taken must save to something that loads back the
/// same, and go on.
void check_state(std::string_view input);

/// One of the two, by the first byte: `s` means a state.
void check(std::string_view input);

}  // namespace troupe::market::fuzz
