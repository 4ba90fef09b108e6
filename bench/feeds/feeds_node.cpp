// A node that hosts market data, listeners and stopwatches.
//   bench_feeds_node --config FILE
#include <iostream>

#include "app/catalog.hpp"
#include "app/node.hpp"
#include "bench/feeds/stopwatch.hpp"
#include "runtime/entity/command_decoder.hpp"
#include "tests/support/market_listener.hpp"

int main(int argc, char** argv) {
  using namespace troupe;
  if (argc != 3) {
    std::cerr << "usage: bench_feeds_node --config FILE\n";
    return 2;
  }
  const auto all = app::load_settings(argv[2]);
  if (!all) return 1;
  log::set_file(all->node.log.file);
  auto things = app::make_catalog(*all);
  things.kinds.push_back(test::listener_kind());
  things.kinds.push_back(bench::stopwatch_kind());
  things.ingress.push_back({"listener.commands", "listener", make_command_decoder});
  things.egress.push_back(std::string(test::listened_topic));
  app::run_node(*all, things);
}
