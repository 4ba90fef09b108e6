#pragma once

#include <set>
#include <string>
#include <string_view>

namespace troupe {

/// The name that a misspelt word most likely means, or nothing.
std::string nearest(std::string_view word, const std::set<std::string>& names);

}  // namespace troupe
