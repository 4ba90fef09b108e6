#include "app/admin_actor.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <future>

#include "runtime/entity/engine.hpp"

namespace troupe::app {

using nlohmann::json;

namespace {

/// A shard without entities.
caf::behavior empty_host() {
  return {[](const show_entity&) { return std::string(R"({"error": "unknown_entity"})"); }};
}

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
  std::atomic<bool> store_lost{false}, stale{false};

  admin_fixture() {
    environment.router = &router;
    environment.cluster = &cluster;
    environment.shard_of = [](const entity_id&) { return shard_id(0); };
    environment.status = [] { return json{{"node", "a"}}; };
    environment.shards = [] { return json::array(); };
    environment.store_lost = [this](shard_id) { return store_lost.load(); };
    environment.stale = [this] { return stale.load(); };
    environment.given_up = [](shard_id) { return std::string(); };
    environment.request_timeout = std::chrono::hours(1);
  }
  ~admin_fixture() {
    router.set(shard_id(0), nullptr);
    router.set_remote(shard_id(0), nullptr);
  }

  json ask(const caf::actor& admin, const std::string& request) {
    caf::scoped_actor asking{system};
    json answer;
    asking->request(admin, std::chrono::seconds(60), admin_atom_v, request)
        .receive([&](const std::string& text) { answer = json::parse(text); },
                 [](caf::error& e) { FAIL(to_string(e)); });
    return answer;
  }

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

TEST_CASE("that there is no such entity is known to its shard, whoever else does not answer") {
  admin_fixture f;
  std::promise<void> asked;
  auto other = f.system.spawn(member, &asked);
  f.cluster.post({{}, {{incarnation(2), other}}});
  f.router.set(shard_id(0), f.system.spawn(empty_host));
  const auto admin = f.system.spawn<admin_actor>(&f.environment);
  const auto answer = f.ask(admin, admin_fixture::show("none"));
  CHECK(answer["error"] == "unknown_entity");
  CHECK(answer["detail"].get<std::string>().starts_with("symbol/none does not exist"));
  CHECK(asked.get_future().wait_for(std::chrono::seconds(0)) == std::future_status::timeout);
  caf::anon_send_exit(admin, caf::exit_reason::user_shutdown);
  caf::anon_send_exit(other, caf::exit_reason::kill);
}

TEST_CASE("without a valid lease what a node tells of the cluster is marked as stale") {
  admin_fixture f;
  cluster_board::contents known;
  known.view.nodes = {{"a", incarnation(1), "h:1", true, false}};
  known.view.leader = incarnation(1);
  known.view.shards = {{"a", incarnation(1), epoch(1)}};
  f.cluster.post(known);
  const auto admin = f.system.spawn<admin_actor>(&f.environment);
  for (const bool stale : {false, true}) {
    f.stale = stale;
    CHECK(f.ask(admin, R"({"verb": "leader"})").value("stale", false) == stale);
    CHECK(f.ask(admin, R"({"verb": "shards"})").at(0).value("stale", false) == stale);
  }
  caf::anon_send_exit(admin, caf::exit_reason::user_shutdown);
}

TEST_CASE("requests without sense are refused by name and harm nobody") {
  admin_fixture f;
  const auto admin = f.system.spawn<admin_actor>(&f.environment);
  const std::pair<std::string, std::string> all[] = {
      {R"({"verb": 5})", "malformed_request"},
      {R"({"verb": "status", "local": "yes"})", "malformed_request"},
      {R"({"verb": "show"})", "malformed_request"},
      {R"({"verb": "show", "entity": 7})", "malformed_request"},
      {R"({"verb": "ask", "entity": "a/b", "type": "t", "hops": "many"})", "malformed_request"},
      {R"({"verb": "dance"})", "unknown_verb"},
      {"[]", "malformed_json"},
      {R"({"verb": "ask", "body": )" + std::string(500'000, '[') + std::string(500'000, ']') + '}',
       "malformed_json"},
      {"{", "malformed_json"},
  };
  for (const auto& [request, error] : all) {
    CAPTURE(request);
    CHECK(f.ask(admin, request)["error"] == error);
  }
  caf::anon_send_exit(admin, caf::exit_reason::user_shutdown);
}

TEST_CASE("a host that ends before it takes a request is no reason to wait, and says why") {
  admin_fixture f;
  const auto admin = f.system.spawn<admin_actor>(&f.environment);
  const auto host = f.system.spawn([]() -> caf::behavior {
    return {[](show_entity&) -> caf::result<std::string> { return std::string(); }};
  });
  caf::anon_send_exit(host, caf::exit_reason::kill);
  caf::scoped_actor {
    f.system
    } -> wait_for(host);
  f.router.set(shard_id(0), host);
  CHECK(f.ask(admin, admin_fixture::show("x"))["error"] == "shard_unavailable");
  f.store_lost = true;
  CHECK(f.ask(admin, admin_fixture::show("x"))["error"] == "store_unavailable");
  f.router.set(shard_id(0), nullptr);
  caf::anon_send_exit(admin, caf::exit_reason::user_shutdown);
}

TEST_CASE("a shard that was given up is told with its reason and the remedy, not as on its way") {
  admin_fixture f;
  f.environment.node = "node-7";
  std::string why;
  f.environment.given_up = [&](shard_id) { return why; };
  const auto admin = f.system.spawn<admin_actor>(&f.environment);
  const auto ask = json{{"verb", "ask"}, {"entity", "symbol/x"}, {"type", "show"}}.dump();
  for (const auto& request : {ask, admin_fixture::show("x")}) {
    why.clear();
    CHECK(f.ask(admin, request)["error"] == "shard_unavailable");
    why = "no state of schema 99";
    CHECK(f.ask(admin, request) == json{{"error", "shard_given_up"},
                                        {"detail",
                                         "shard 0 on node-7 was given up: no state of schema "
                                         "99; mend the cause, then restart node-7"}});
  }
  caf::anon_send_exit(admin, caf::exit_reason::user_shutdown);
}

TEST_CASE("whatever a node is asked, it refuses by name and goes on answering") {
  admin_fixture f;
  const auto admin = f.system.spawn<admin_actor>(&f.environment);
  caf::scoped_actor asking{f.system};
  const auto answer_to = [&](const std::string& text) {
    json answer;
    asking->request(admin, std::chrono::seconds(60), admin_atom_v, text)
        .receive([&](const std::string& said) { answer = json::parse(said); },
                 [](caf::error& e) { FAIL(to_string(e)); });
    return answer;
  };
  const std::string nest(1'000'000, '[');
  const std::string ask = R"({"verb": "ask", "entity": "session/s1", "type": "start", "body": )";
  for (const auto& text : {nest, ask + nest, R"({"verb": )" + nest, std::string("{"),
                           std::string("[]"), std::string("\xff"), std::string()})
    CHECK(answer_to(text)["error"] == "malformed_json");
  CHECK(answer_to(ask + nest)["detail"] == "the request is nested deeper than 32 levels");
  for (const auto* text :
       {R"({"verb": 5})", R"({"verb": {}})", R"({"verb": "show"})", R"({"verb": "ask"})",
        R"({"verb": "show", "entity": [1]})", R"({"verb": "status", "local": "yes"})"})
    CHECK_MESSAGE(answer_to(text)["error"] == "malformed_request", text);
  for (const auto* text : {R"({"verb": "dance"})", "{}"})
    CHECK_MESSAGE(answer_to(text)["error"] == "unknown_verb", text);
  caf::anon_send_exit(admin, caf::exit_reason::user_shutdown);
}

}  // namespace troupe::app
