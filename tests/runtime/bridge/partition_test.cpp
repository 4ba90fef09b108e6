#include <doctest/doctest.h>

#include <array>
#include <string>

#include "runtime/base/partition.hpp"

using namespace troupe;

TEST_CASE("the hash is the one of Kafka's Java client") {
  struct row {
    std::string_view key;
    std::int32_t hash;
  };
  for (const auto& r :
       {row{"", 275646681}, row{"21", -973932308}, row{"foobar", -790332482}, row{"abc", 479470107},
        row{"a-little-bit-long-string", -985981536}, row{"a-little-bit-longer-string", -1486304829},
        row{"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971}}) {
    CAPTURE(r.key);
    CHECK(static_cast<std::int32_t>(murmur2(r.key)) == r.hash);
  }
}

TEST_CASE("bytes above 127 count as unsigned") {
  CHECK(murmur2("\xFF") != murmur2("\x7F"));
  CHECK(static_cast<std::int32_t>(murmur2(std::string_view("a\0b", 3))) !=
        static_cast<std::int32_t>(murmur2("ab")));
}

TEST_CASE("a key's partition is within bounds, and all partitions are used") {
  std::array<int, 64> used{};
  for (int i = 0; i < 10'000; ++i) {
    const auto p = partition_of("SYM" + std::to_string(i), 64);
    REQUIRE(p < 64);
    ++used[p];
  }
  for (int n : used) CHECK(n > 80);
  // -973932308 with its sign bit cleared is 1173551340.
  CHECK(partition_of("21", 64) == 1173551340 % 64);
}
