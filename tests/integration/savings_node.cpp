// A node that hosts the example kind of docs/entities.md, fed by the topic `savings.commands`.
#include "runtime/codec/text.hpp"
#include "tests/support/own_node.hpp"
#include "tests/support/savings_account.hpp"

int main(int argc, char** argv) {
  using namespace troupe;
  return test::run_own_node(argc, argv, [](const app::settings&) {
    catalog things;
    test::add_kind(things, example::savings_kind(), "savings.commands", example::balances_topic);
    things.egress.emplace_back(dead_letter_topic);
    return things;
  });
}
