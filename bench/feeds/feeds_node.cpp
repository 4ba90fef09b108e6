// A node that hosts market data, listeners and stopwatches.
#include "bench/feeds/stopwatch.hpp"
#include "tests/support/market_listener.hpp"
#include "tests/support/own_node.hpp"

int main(int argc, char** argv) {
  using namespace troupe;
  return test::run_own_node(argc, argv, [](const app::settings& all) {
    auto things = app::make_catalog(all);
    test::add_kind(things, test::listener_kind(), "listener.commands", test::listened_topic);
    things.kinds.push_back(bench::stopwatch_kind());
    return things;
  });
}
