// A node that hosts the example kind of docs/entities.md, fed by the topic `savings.commands`.
#include <iostream>

#include "app/node.hpp"
#include "runtime/codec/text.hpp"
#include "runtime/entity/command_decoder.hpp"
#include "tests/support/savings_account.hpp"

int main(int argc, char** argv) {
  using namespace troupe;
  if (argc != 3) {
    std::cerr << "usage: savings_node --config FILE\n";
    return 2;
  }
  const auto all = app::load_settings(argv[2]);
  if (!all) return 1;
  log::set_file(all->node.log.file);
  catalog things;
  things.kinds = {example::savings_kind()};
  things.ingress = {{"savings.commands", "savings", make_command_decoder}};
  things.egress = {std::string(example::balances_topic), std::string(dead_letter_topic)};
  app::run_node(*all, things);
}
