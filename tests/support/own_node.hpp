#pragma once

#include <iostream>

#include "app/catalog.hpp"
#include "app/node.hpp"
#include "runtime/entity/command_decoder.hpp"

namespace troupe::test {

/// The main function of a node that hosts what `things_of(settings)` returns.
///   PROGRAM --config FILE
template <class F>
int run_own_node(int argc, char** argv, F things_of) {
  if (argc != 3) {
    std::cerr << "usage: " << argv[0] << " --config FILE\n";
    return 2;
  }
  const auto all = app::load_settings(argv[2]);
  if (!all) return 1;
  log::set_file(all->node.log.file);
  app::run_node(*all, things_of(*all));
}

/// Adds a kind of which commands come by a topic, and the topic of its own records.
inline void add_kind(catalog& to, kind_def kind, std::string commands, std::string_view records) {
  to.ingress.push_back({std::move(commands), kind.name, make_command_decoder});
  to.kinds.push_back(std::move(kind));
  to.egress.emplace_back(records);
}

}  // namespace troupe::test
