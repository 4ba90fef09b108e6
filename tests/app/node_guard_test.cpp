#include "app/node_guard.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

namespace troupe::app {

namespace {

http::request get(const std::string& path, const std::string& authorization = {}) {
  http::request r;
  r.method = "GET";
  r.target = r.path = path;
  if (!authorization.empty()) r.headers.emplace_back("Authorization", authorization);
  return r;
}

}  // namespace

TEST_CASE("the token opens everything, the probes are open to all") {
  const auto guard = token_guard("0123456789abcdef");
  CHECK_FALSE(guard(get("/metrics", "Bearer 0123456789abcdef")).has_value());
  CHECK_FALSE(guard(get("/metrics", "bearer 0123456789abcdef")).has_value());
  CHECK_FALSE(guard(get("/healthz")).has_value());
  CHECK_FALSE(guard(get("/readyz")).has_value());
  for (const auto* wrong :
       {"", "Bearer", "Bearer ", "Bearer 0123456789abcdeg", "Bearer 0123456789abcdef0",
        "Basic 0123456789abcdef", "0123456789abcdef", "Bearer  0123456789abcdef"}) {
    const auto refusal = guard(get("/metrics", wrong));
    REQUIRE_MESSAGE(refusal.has_value(), wrong);
    CHECK(refusal->status == 401);
    const auto said = nlohmann::json::parse(refusal->body);
    CHECK(said.at("error") == "token_required");
    CHECK(said.at("detail").get<std::string>().find("security.token") != std::string::npos);
  }
  for (const auto* path :
       {"/metrics", "/", "/healthz/", "/healthz/../metrics", "//metrics", "/%6detrics", "/nowhere"})
    CHECK_MESSAGE(guard(get(path)).has_value(), path);
}

TEST_CASE("a node is refused when a later life of its id is alive") {
  store::cluster_view view;
  view.nodes = {{"node-1", incarnation(4), "h:1", true, false},
                {"node-2", incarnation(7), "h:2", true, false},
                {"node-3", incarnation(9), "h:3", false, false}};
  CHECK(objection_to(view, "node-2", incarnation(7)) == "");
  CHECK(objection_to(view, "node-2", incarnation(8)) == "");
  CHECK(objection_to(view, "node-3", incarnation(8)) == "");
  CHECK(objection_to(view, "node-4", incarnation(1)) == "");
  CHECK(objection_to(view, "node-2", incarnation(6)) ==
        "incarnation 7 of node-2 at h:2 is alive: give each node an id of its own");
}

}  // namespace troupe::app
