#include "runtime/cluster/link_module.hpp"

#include <caf/all.hpp>
#include <caf/io/all.hpp>
#include <caf/io/basp_broker.hpp>
#include <caf/io/network/default_multiplexer.hpp>
#include <utility>

namespace troupe::cluster {

namespace {

class link_broker final : public caf::io::basp_broker {
 public:
  using caf::io::basp_broker::basp_broker;

  void learned_new_node_directly(const caf::node_id&, bool) override {}
  void learned_new_node_indirectly(const caf::node_id&) override {}

  caf::behavior make_behavior() override {
    auto all = caf::io::basp_broker::make_behavior();
    const caf::message_handler ours{
        [this, all](caf::connect_atom, caf::io::scribe_ptr& to, std::uint16_t port) mutable {
          set_context(to->hdl());  // It has been seen: just now.
          auto dialled = caf::make_message(caf::connect_atom_v, std::move(to), port);
          all(dialled);
        }};
    return ours.or_else(all);
  }
};

class link_middleman final : public caf::io::middleman {
 public:
  explicit link_middleman(caf::actor_system& system)
      : caf::io::middleman(system), backend_(&system) {}

  caf::io::network::multiplexer& backend() override { return backend_; }
  /// The middleman makes its broker only if there is none.
  void start() override {
    named_broker<link_broker>(caf::atom("BASP"));
    caf::io::middleman::start();
  }

 private:
  caf::io::network::default_multiplexer backend_;
};

}  // namespace

caf::actor_system::module* make_link_module(caf::actor_system& system) {
  return new link_middleman(system);
}

}  // namespace troupe::cluster
