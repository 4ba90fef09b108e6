#pragma once

#include <source_location>
#include <stdexcept>
#include <string>

namespace troupe {

/// A broken invariant: a defect of ours, never a property of the input. Whoever supervises the code
/// that threw it discards that code's memory and recovers.
struct broken_invariant : std::logic_error {
  using std::logic_error::logic_error;
};

/// Checks what must hold, in every build.
inline void ensure(bool holds, const char* what = "invariant",
                   std::source_location at = std::source_location::current()) {
  if (!holds) [[unlikely]]
    throw broken_invariant(std::string(at.file_name()) + ':' + std::to_string(at.line()) + ": " +
                           what);
}

}  // namespace troupe
