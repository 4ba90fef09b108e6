#include <cstddef>
#include <cstdint>

#include "tests/fuzz/market_checks.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  troupe::market::fuzz::check({reinterpret_cast<const char*>(data), size});
  return 0;
}
