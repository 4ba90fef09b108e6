// A node that has lost one of the actors that make it one.
#include <doctest/doctest.h>

#include <fstream>

#include "runtime/cluster/links.hpp"
#include "runtime/entity/actor_messages.hpp"
#include "runtime/entity/engine.hpp"
#include "tests/support/node_process.hpp"

using namespace troupe;
using namespace troupe::test;
using namespace std::chrono_literals;

namespace {

/// What another node can do to it: ask for its root actor and its member, and end them.
void end_actor(int port, bool member) {
  engine_config config{1};
  caf::actor_system system{config};
  cluster::link_self self;
  self.who = {"test", security::role::node, "node-9"};
  auto victim = cluster::dial(
      system, {"127.0.0.1", static_cast<std::uint16_t>(port), "node-1", incarnation(0)}, self, 5s);
  caf::scoped_actor asking{system};
  if (member)
    asking->request(victim, caf::duration{5s}, member_atom_v)
        .receive([&](const caf::actor& it) { victim = it; },
                 [&](caf::error& e) { FAIL(system.render(e)); });
  asking->monitor(victim);
  caf::anon_send_exit(victim, caf::exit_reason::kill);
  asking->receive([](const caf::down_msg&) {}, caf::after(20s) >> [] { FAIL("it did not end"); });
}

}  // namespace

TEST_CASE("a node whose member or admin actor ends begins anew by itself, as another incarnation") {
  const cluster_folder folder("", 4);
  REQUIRE(run_troupe({"migrate", "--config", folder.node_config()}).exit_code == 0);
  node_process node({troupe_binary(), "node", "--config", folder.node_config()});
  node.start();
  const auto sql = [&](const char* query) { return folder.database().run(query); };
  const auto owned = [&] {
    return sql("select count(*) from shard s join node n on n.incarnation = s.incarnation "
               "where n.state = 'live' and s.owner = 'node-1'") == "4";
  };
  for (const bool member : {true, false}) {
    CAPTURE(member);
    wait_until("its shards", 60s, owned);
    const auto life = sql("select incarnation from node");
    end_actor(folder.admin_port(), member);
    wait_until("another incarnation", 60s,
               [&] { return sql("select incarnation from node") != life; });
  }
  wait_until("its shards again", 60s, owned);
  std::ifstream in(folder.log_file());
  const std::string log{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  CHECK(log.find("actor_ended actor=member") != std::string::npos);
  CHECK(log.find("actor_ended actor=admin") != std::string::npos);
  CHECK(node.stop() == 0);
}
