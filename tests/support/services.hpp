#pragma once

#include <string>

namespace troupe::test {

/// Runs the tests' services script (TROUPE_TEST_SERVICES) with a command such as `kill postgres` or
/// `start kafka`. Throws if it fails.
void services(const std::string& command);

}  // namespace troupe::test
