#pragma once

#include <string_view>

namespace troupe::app {

inline constexpr std::string_view version = TROUPE_VERSION;

}  // namespace troupe::app
