#include <cstddef>
#include <cstdint>

#include "tests/fuzz/trading_checks.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  troupe::trading::fuzz::check({reinterpret_cast<const char*>(data), size});
  return 0;
}
