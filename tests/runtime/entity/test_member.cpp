// What a node's member makes of what operators and other nodes tell it.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "runtime/entity/engine.hpp"
#include "runtime/entity/member_actor.hpp"
#include "runtime/store/cluster_store.hpp"
#include "runtime/store/migration.hpp"
#include "runtime/store/node_store.hpp"
#include "tests/support/test_database.hpp"

using namespace troupe;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

/// A member whose node has not joined, so that it decides nothing. It hosts shard 0: `host` hears
/// what gets through.
struct lone_member {
  engine_config config{2};
  caf::actor_system system{config};
  test::test_database db;
  std::unique_ptr<store::cluster_store> tables;
  shard_router router{2};
  system_clock_source clock;
  cluster_board board;
  member_environment environment;
  caf::scoped_actor host{system}, asking{system};
  caf::actor member;

  explicit lone_member(const std::string& dsn = {}) {
    store::migrate(db.dsn(), store::runtime_migrations());
    store::claim_cluster(db.dsn(), {"test", 2});
    tables = std::make_unique<store::cluster_store>(
        store::cluster_store::options{dsn.empty() ? db.dsn() : dsn});
    environment.self.who = {"test", security::role::node, "node-9"};
    environment.self.life = incarnation(999);
    environment.self.links = std::make_shared<cluster::link_register>(60s);
    environment.store = tables.get();
    environment.router = &router;
    environment.clock = &clock;
    router.set(shard_id(0), caf::actor_cast<caf::actor>(host.ptr()));
    member = system.spawn<member_actor>(&environment, &board);
  }
  ~lone_member() {
    router.set(shard_id(0), nullptr);
    caf::anon_send_exit(member, caf::exit_reason::user_shutdown);
    asking->wait_for(member);
  }

  json order(const std::string& text) {
    json answer;
    asking->request(member, caf::duration{20s}, order_atom_v, text)
        .receive([&](const std::string& said) { answer = json::parse(said); },
                 [&](caf::error& e) { FAIL(system.render(e)); });
    return answer;
  }
  std::string hello(const std::string& text) {
    std::string answer;
    asking->request(member, caf::duration{20s}, hello_atom_v, text)
        .receive([&](const std::string& said) { answer = said; },
                 [&](caf::error& e) { FAIL(system.render(e)); });
    return answer;
  }
};

}  // namespace

TEST_CASE("an order that the database has no row for is refused as what it is") {
  lone_member m;
  store::node_store nodes({m.db.dsn()});
  nodes.join("node-1", "h:1", "v", 60s);
  const std::pair<std::string, std::string> all[] = {
      {R"({"verb": "move", "shard": 0, "node": "node-1"})", "no_leader"},
      {R"({"verb": "drain", "node": "node-2"})", "unknown_node"},
      {R"({"verb": "undrain", "node": "node-2"})", "unknown_node"},
      {R"({"verb": "forget", "node": "node-2"})", "unknown_node"},
      {R"({"verb": "forget", "node": "node-1"})", "node_is_live"},
      {R"({"verb": "drain", "node": "node-1"})", ""},
  };
  for (const auto& [order, error] : all) {
    CAPTURE(order);
    const auto answer = m.order(order);
    CHECK(answer.value("error", "") == error);
    CHECK(answer.value("done", false) == error.empty());
  }
}

TEST_CASE("an order that the database does not answer is not refused as something else") {
  lone_member m("host=127.0.0.1 port=1 user=x dbname=x");
  for (const auto* order :
       {R"({"verb": "move", "shard": 0, "node": "node-1"})", R"({"verb": "drain", "node": "n"})",
        R"({"verb": "forget", "node": "n"})"})
    CHECK(m.order(order)["error"] == "store_unavailable");
}

TEST_CASE("messages without sense are dropped, and the member lives on") {
  lone_member m;
  store::node_store nodes({m.db.dsn()});
  const auto life = nodes.join("node-1", "h:1", "v", 60s);
  for (const auto* order : {"", "{", "[]", R"({"verb": 1, "node": "a"})", R"({"verb": "drain"})",
                            R"({"verb": "move", "shard": "x", "node": "a"})"})
    CHECK(m.order(order)["error"] == "malformed_request");
  for (const auto* hello : {"", "{", "[]", "7", R"({"life": "x"})", R"({"life": -5})",
                            R"({"life": {}})", R"({"life": 1.5})"})
    CHECK(json::parse(m.hello(hello))["life"] == 999);
  m.hello(json{{"life", life.value()}}.dump());  // From now on this is a member, too.
  for (const auto* said : {"", "{", "[]", R"({"what": "x"})", R"({"what": 3, "life": "y"})",
                           R"({"what": 99, "life": 1})"})
    m.asking->send(m.member, member_atom_v, std::string(said));
  const auto channel = [&](const char* payload) {
    m.asking->send(m.member, channel_atom_v, 0U, 1U, std::int64_t{1}, std::string("savings/x"),
                   std::string(payload));
  };
  for (const auto* payload : {"", "{", "[]", "7", "{}", R"({"type": "t"})", R"({"body": {}})",
                              R"({"type": 5, "body": {}})"})
    channel(payload);
  m.asking->send(m.member, follow_atom_v, 0U, std::string("nonsense"));
  channel(R"({"type": "credit", "body": {"amount": 1}})");
  m.host->receive(
      [&](channel_message& it) {
        CHECK(it.what->type == "credit");
        CHECK(it.to == entity_id{"savings", "x"});
      },
      caf::after(20s) >> [] { FAIL("the message with sense has not come through"); });
  CHECK(m.host->mailbox().empty());
}
