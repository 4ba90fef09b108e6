#include "tests/support/services.hpp"

#include <cstdlib>
#include <stdexcept>

namespace troupe::test {

void services(const std::string& command) {
  const char* script = std::getenv("TROUPE_TEST_SERVICES");
  if (script == nullptr)
    throw std::runtime_error("TROUPE_TEST_SERVICES must name the services script");
  const auto line = std::string(script) + ' ' + command + " >&2";
  if (std::system(line.c_str()) != 0) throw std::runtime_error("failed: " + line);
}

}  // namespace troupe::test
