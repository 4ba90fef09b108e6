#pragma once

#include <string>

namespace troupe::store {

/// Why libpq does not take a connection text: which keywords it does not know, or that it does not
/// understand the text. Empty: it does. Repeats no value; connects to nothing.
std::string refusal_of_dsn(const std::string& dsn);

}  // namespace troupe::store
