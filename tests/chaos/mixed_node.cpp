// A node that hosts market data, listeners, which follow symbols on any node, and the example kind
// of docs/entities.md.
#include "tests/support/market_listener.hpp"
#include "tests/support/own_node.hpp"
#include "tests/support/savings_account.hpp"

int main(int argc, char** argv) {
  using namespace troupe;
  return test::run_own_node(argc, argv, [](const app::settings& all) {
    log::set_level(log::level::debug);
    auto things = app::make_catalog(all);
    test::add_kind(things, example::savings_kind(), "savings.commands", example::balances_topic);
    test::add_kind(things, test::listener_kind(), "listener.commands", test::listened_topic);
    return things;
  });
}
