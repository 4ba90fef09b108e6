#pragma once

#include <functional>
#include <string>

#include "runtime/options/section.hpp"

namespace troupe {

/// JSON with every option that `describe` names: its present value, under a comment that says what
/// it is, what it costs and what is allowed. Inside braces, indented by `indent`.
std::string print_section(const std::function<void(section&)>& describe, std::size_t indent = 0);

}  // namespace troupe
