#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace troupe {

/// Under which id an entry of the quarantine is given back: `quarantine:7/ATTEMPT:ORIGINAL`.
/// `attempt` is a text of its own for every try, without `:`, so that no earlier try that failed
/// stands in the way; `original` the id of the request that was quarantined, empty if it had none.
std::string retry_id(std::int64_t entry, std::string_view attempt, std::string_view original);

/// Which id a request's effect is remembered by: that of the original, or of the entry, for a
/// retry; any other id itself. So neither a retry nor the client that repeats its request has a
/// second effect.
std::string effect_id(std::string_view request);

}  // namespace troupe
