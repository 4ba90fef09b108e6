#include "runtime/http/routes.hpp"

#include <doctest/doctest.h>

#include "runtime/base/ensure.hpp"

using namespace troupe::http;

namespace {

handler named(std::string name) {
  return [name](const request&, const reply& answer) { answer(plain(200, name)); };
}

/// The name of the handler that answers, the channel, or the status of the refusal.
std::string answer_of(const routes& all, request& r) {
  REQUIRE(parse_target(r));
  auto todo = all.decide(r);
  if (const auto* refused = std::get_if<response>(&todo)) return std::to_string(refused->status);
  if (const auto* stream = std::get_if<routes::to_channel>(&todo))
    return std::string(stream->channel);
  std::string name;
  (*std::get<routes::to_handler>(todo).call)(r, reply([&](response a) { name = a.body; }));
  name.pop_back();
  return name;
}

std::string answer_of(const routes& all, std::string method, std::string target) {
  request r;
  r.method = std::move(method);
  r.target = std::move(target);
  return answer_of(all, r);
}

}  // namespace

TEST_CASE("method and path choose the handler") {
  routes all;
  all.get("/", named("root"));
  all.get("/payments/new", named("form"));
  all.get("/payments/{id}", named("one"));
  all.post("/payments", named("create"));
  all.post("/payments/{id}/refunds/{refund}", named("refund"));
  all.stream("/events", "console");
  struct row {
    const char *method, *target, *answer;
  };
  for (const auto& r : {row{"GET", "/", "root"},
                        row{"GET", "/?x=1", "root"},
                        row{"HEAD", "/", "root"},
                        row{"GET", "/payments/7", "one"},
                        row{"GET", "/payments/new", "form"},
                        row{"GET", "/payments/n%65w", "form"},
                        row{"POST", "/payments", "create"},
                        row{"POST", "/payments/7/refunds/8", "refund"},
                        row{"GET", "/events", "console"},
                        row{"HEAD", "/events", "200"},
                        row{"GET", "/payments", "405"},
                        row{"HEAD", "/payments", "405"},
                        row{"POST", "/payments/7", "405"},
                        row{"post", "/payments", "405"},
                        row{"GET", "/payments/", "404"},
                        row{"GET", "/payments/7/", "404"},
                        row{"GET", "//", "404"},
                        row{"GET", "/Payments/7", "404"},
                        row{"GET", "/payments/%zz", "400"},
                        row{"GET", "/payments/%00", "400"}}) {
    CAPTURE(r.method);
    CAPTURE(r.target);
    CHECK(answer_of(all, r.method, r.target) == r.answer);
  }
}

TEST_CASE("parts of the path are decoded after it was split") {
  routes all;
  all.get("/a/{first}/{second}", named("it"));
  request r;
  r.method = "GET";
  r.target = "/a/x%2Fy/%C3%BC+";
  CHECK(answer_of(all, r) == "it");
  CHECK(r.path_parts == parameters{{"first", "x/y"}, {"second", "ü+"}});
}

TEST_CASE("405 names the methods that the path has") {
  routes all;
  all.get("/a", named("it")).post("/a", named("it")).on("DELETE", "/{any}", named("it"));
  request r;
  r.method = "PUT";
  r.target = "/a";
  REQUIRE(parse_target(r));
  const auto refused = std::get<response>(all.decide(r));
  CHECK(refused.status == 405);
  REQUIRE(refused.headers.size() == 1);
  CHECK(refused.headers[0].first == "Allow");
  CHECK(refused.headers[0].second == "GET, HEAD, POST, DELETE");
}

TEST_CASE("a route given twice, without slash or without handler is a defect") {
  routes all;
  all.get("/a", named("it"));
  CHECK_THROWS_AS(all.get("/a", named("it")), troupe::broken_invariant);
  CHECK_THROWS_AS(all.stream("/a", "channel"), troupe::broken_invariant);
  CHECK_THROWS_AS(all.get("a", named("it")), troupe::broken_invariant);
  CHECK_THROWS_AS(all.get("/b", nullptr), troupe::broken_invariant);
}

TEST_CASE("a guard is asked before any route, streams and unknown paths included") {
  routes all;
  all.get("/open", named("open")).get("/closed", named("closed")).stream("/events", "news");
  all.guard([](const request& r) -> std::optional<response> {
    if (r.path == "/open") return std::nullopt;
    return plain(401);
  });
  CHECK(answer_of(all, "GET", "/open") == "open");
  for (const auto* path : {"/closed", "/events", "/nowhere", "/%zz"})
    CHECK_MESSAGE(answer_of(all, "GET", path) == "401", path);
  CHECK(answer_of(all, "POST", "/closed") == "401");
}
