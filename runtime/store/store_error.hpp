#pragma once

#include <stdexcept>

namespace troupe::store {

/// The database cannot be used as it is; the text names what differs and goes to the operator.
struct refused : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The database is out of reach, or gave a statement up.
struct unavailable_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace troupe::store
