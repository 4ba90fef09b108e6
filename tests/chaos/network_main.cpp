// For tests that cut nodes off from each other: where they cannot, they say so and end with 77, by
// which CTest knows that they were skipped.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <cstdio>

#include "tests/support/node_network.hpp"

int main(int argc, char** argv) {
  constexpr int skipped = 77;
  doctest::Context context(argc, argv);
  const int result = context.run();
  if (result != 0 || troupe::test::node_network::possible()) return result;
  std::fputs(
      "*** PARTITIONS BETWEEN NODES WERE NOT TESTED: network namespaces take root and the package "
      "iproute2 ***\n",
      stderr);
  return skipped;
}
