#include "app/admin_actor.hpp"

#include <doctest/doctest.h>

#include <future>

#include "runtime/entity/engine.hpp"

namespace troupe::app {

using nlohmann::json;

namespace {

/// Another node's member: answers whoever says "quick", and lets the others wait.
caf::behavior member(caf::stateful_actor<std::vector<caf::response_promise>>* self,
                     std::promise<void>* asked) {
  return {[=](admin_atom, const std::string& text) -> caf::result<std::string> {
    if (text.find("quick") != std::string::npos) return std::string(R"({"quick": true})");
    self->state.push_back(self->make_response_promise());
    asked->set_value();
    return self->state.back();
  }};
}

struct admin_fixture {
  engine_config config{2};
  caf::actor_system system{config};
  shard_router router{1};
  cluster_board cluster;
  admin_environment environment;

  admin_fixture() {
    environment.router = &router;
    environment.cluster = &cluster;
    environment.shard_of = [](const entity_id&) { return shard_id(0); };
    environment.request_timeout = std::chrono::hours(1);
  }
  ~admin_fixture() { router.set_remote(shard_id(0), nullptr); }

  static std::string show(const std::string& key) {
    return json{{"verb", "show"}, {"entity", "symbol/" + key}}.dump();
  }
};

}  // namespace

TEST_CASE("what a node was asked before it died is answered at once, whatever it answered before") {
  admin_fixture f;
  std::promise<void> asked;
  auto other = f.system.spawn(member, &asked);
  f.router.set_remote(shard_id(0), other);
  const auto admin = f.system.spawn<admin_actor>(&f.environment);
  caf::scoped_actor waiting{f.system}, asking{f.system};
  constexpr std::chrono::seconds patience(60);
  auto slow = waiting->request(admin, patience, admin_atom_v, admin_fixture::show("slow"));
  asked.get_future().wait();
  asking->request(admin, patience, admin_atom_v, admin_fixture::show("quick"))
      .receive([](const std::string& text) { CHECK(json::parse(text)["quick"] == true); },
               [](caf::error& e) { FAIL(to_string(e)); });
  caf::anon_send_exit(other, caf::exit_reason::kill);
  slow.receive(
      [](const std::string& text) { CHECK(json::parse(text)["error"] == "node_unavailable"); },
      [](caf::error& e) { FAIL(to_string(e)); });
  caf::anon_send_exit(admin, caf::exit_reason::user_shutdown);
}

TEST_CASE("a shard that was given up is told with its reason and the remedy, not as on its way") {
  admin_fixture f;
  f.environment.node = "node-7";
  f.environment.store_lost = [](shard_id) { return false; };
  std::string why;
  f.environment.given_up = [&](shard_id) { return why; };
  const auto admin = f.system.spawn<admin_actor>(&f.environment);
  caf::scoped_actor asking{f.system};
  const auto answer = [&](const std::string& request) {
    json told;
    asking->request(admin, std::chrono::seconds(60), admin_atom_v, request)
        .receive([&](const std::string& text) { told = json::parse(text); },
                 [](caf::error& e) { FAIL(to_string(e)); });
    return told;
  };
  const auto ask = json{{"verb", "ask"}, {"entity", "symbol/x"}, {"type", "show"}}.dump();
  for (const auto& request : {ask, admin_fixture::show("x")}) {
    why.clear();
    CHECK(answer(request)["error"] == "shard_unavailable");
    why = "no state of schema 99";
    CHECK(answer(request) == json{{"error", "shard_given_up"},
                                  {"detail",
                                   "shard 0 on node-7 was given up: no state of schema "
                                   "99; mend the cause, then restart node-7"}});
  }
  caf::anon_send_exit(admin, caf::exit_reason::user_shutdown);
}

}  // namespace troupe::app
