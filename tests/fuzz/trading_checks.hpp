#pragma once

#include <string_view>

namespace troupe::trading::fuzz {

/// Takes one text from outside as what its first letter says, the rest being the text:
/// - `c` a record of `session.commands`: decoded, then taken by the session `s1`, once as one that
///   has yet to be created, once as one that runs
/// - `f` a record of `fills`: decoded, then taken by the portfolio `p1`, which has an order out
/// - `o` an order by hand, as the risk check of `p1` gets it
/// - `l` limits, as operators write them
/// Throws broken_invariant when a record is not accounted for exactly once, something deeper than
/// what may come in comes out, a saved state does not load back the same, or something is published
/// that no broker takes.
void check(std::string_view input);

}  // namespace troupe::trading::fuzz
