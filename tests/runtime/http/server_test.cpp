#include "runtime/http/server.hpp"

#include <doctest/doctest.h>

#include <mutex>
#include <optional>
#include <thread>

#include "client.hpp"
#include "runtime/base/ensure.hpp"

using namespace troupe::http;
using namespace std::chrono_literals;

namespace {

routes echo() {
  routes r;
  r.get("/hello", [](const request&, const reply& answer) { answer(plain(200, "hello")); });
  r.get("/say/{word}", [](const request& q, const reply& answer) {
    answer(plain(200, q.path_parts.at("word") + q.query.at("mark")));
  });
  r.post("/echo", [](const request& q, const reply& answer) { answer(json(201, q.body)); });
  return r;
}

/// Holds what a handler was given, for another thread to answer.
class held_replies {
 public:
  handler hold() {
    return [this](const request&, reply answer) {
      const std::lock_guard lock(mutex_);
      replies_.push_back(std::move(answer));
    };
  }
  std::size_t size() {
    const std::lock_guard lock(mutex_);
    return replies_.size();
  }
  reply at(std::size_t i) {
    REQUIRE(eventually([&] { return size() > i; }));
    const std::lock_guard lock(mutex_);
    return replies_[i];
  }

 private:
  std::mutex mutex_;
  std::vector<reply> replies_;
};

}  // namespace

TEST_CASE("a connection carries many requests") {
  const served s(echo());
  client c(s.port);
  for (int i = 0; i < 3; ++i) {
    const auto a = c.ask(get("/hello"));
    CHECK(a.status == 200);
    CHECK(a.version == "HTTP/1.1");
    CHECK(a.body == "hello\n");
    CHECK(a.header("content-type") == "text/plain; charset=utf-8");
    CHECK(a.header("connection").empty());
  }
  CHECK(c.ask(get("/say/good%20day?mark=%21")).body == "good day!\n");
  CHECK(c.ask(get("/hello", "Connection: close\r\n")).header("connection") == "close");
  CHECK(c.rest().empty());
  CHECK(s.metric("troupe_http_requests_total", ",status=\"2xx\"") == 5);
}

TEST_CASE("HTTP/1.0 ends after one answer unless asked to go on") {
  const served s(echo());
  client once(s.port);
  CHECK(once.ask("GET /hello HTTP/1.0\r\n\r\n").body == "hello\n");
  CHECK(once.rest().empty());
  client more(s.port);
  for (int i = 0; i < 2; ++i) {
    const auto a = more.ask("GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    CHECK(a.version == "HTTP/1.0");
    CHECK(a.header("connection") == "keep-alive");
  }
}

TEST_CASE("pipelined requests are answered in their order") {
  const served s(echo());
  client c(s.port);
  std::string all;
  for (int i = 0; i < 200; ++i) all += post("/echo", '"' + std::to_string(i) + '"');
  c.send(all);
  for (int i = 0; i < 200; ++i) REQUIRE(c.receive().body == '"' + std::to_string(i) + '"');
}

TEST_CASE("bodies come by length, in chunks, and byte by byte") {
  const served s(echo());
  client c(s.port);
  const std::string large(60'000, 'x');
  CHECK(c.ask(post("/echo", large)).body == large);
  CHECK(c.ask("POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"
              "3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\n\r\n")
            .body == "abcdefg");
  for (char byte : post("/echo", "slow")) c.send({&byte, 1});
  CHECK(c.receive().body == "slow");
  CHECK(c.ask(post("/echo", "")).status == 201);
}

TEST_CASE("a client that asks first whether to send its body is told to") {
  const served s(echo());
  client c(s.port);
  const std::string head =
      "POST /echo HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: ";
  c.send(head + "2\r\n\r\n");
  CHECK(c.receive().status == 100);
  c.send("{}");
  CHECK(c.receive().status == 201);
  CHECK(c.ask(head + "99999999\r\n\r\n").status == 413);
}

TEST_CASE("HEAD tells the length and sends no body") {
  const served s(echo());
  client c(s.port);
  c.send("HEAD /hello HTTP/1.1\r\nHost: t\r\n\r\n");
  const auto a = c.receive(true);
  CHECK(a.status == 200);
  CHECK(a.header("content-length") == "6");
  CHECK(c.ask(get("/hello")).body == "hello\n");
}

TEST_CASE("what no route answers is refused by name, and the connection lives on") {
  const served s(echo());
  client c(s.port);
  CHECK(c.ask(get("/nothing")).status == 404);
  const auto a = c.ask(get("/echo"));
  CHECK(a.status == 405);
  CHECK(a.header("allow") == "POST");
  CHECK(c.ask(get("/hello%zz")).status == 400);
  CHECK(c.ask(get("/hello")).status == 200);
  CHECK(s.metric("troupe_http_requests_total", ",status=\"4xx\"") == 3);
}

TEST_CASE("a status without body has none on the wire") {
  routes r;
  r.get("/none", [](const request&, const reply& answer) { answer({204, "", {}, ""}); });
  const served s(std::move(r));
  client c(s.port);
  c.send(get("/none") + get("/none"));
  for (int i = 0; i < 2; ++i) {
    const auto a = c.receive();
    CHECK(a.status == 204);
    CHECK(a.header("content-length").empty());
    CHECK(a.header("content-type").empty());
  }
}

TEST_CASE("a handler's headers are sent; those of the connection stay the server's") {
  routes r;
  r.get("/a", [](const request&, const reply& answer) {
    answer({200,
            "text/plain",
            {{"X-One", "1"},
             {"Content-Length", "99"},
             {"Connection", "close"},
             {"Transfer-Encoding", "chunked"}},
            "body"});
  });
  const served s(std::move(r));
  client c(s.port);
  for (int i = 0; i < 2; ++i) {
    const auto a = c.ask(get("/a"));
    CHECK(a.header("x-one") == "1");
    CHECK(a.body == "body");
    CHECK(a.header("transfer-encoding").empty());
  }
}

TEST_CASE("a handler that throws or answers nonsense gives 500") {
  routes r;
  r.get("/throw", [](const request&, const reply&) { throw std::runtime_error("broken"); });
  r.get("/split", [](const request&, const reply& answer) {
    answer({200, "text/plain", {{"X", "a\r\nSet-Cookie: b"}}, ""});
  });
  r.get("/status", [](const request&, const reply& answer) { answer({1234, "", {}, ""}); });
  const served s(std::move(r));
  client c(s.port);
  for (const char* path : {"/throw", "/split", "/status"}) {
    const auto a = c.ask(get(path));
    CHECK(a.status == 500);
    CHECK(a.header("set-cookie").empty());
  }
  CHECK(s.metric("troupe_http_requests_total", ",status=\"5xx\"") == 3);
}

TEST_CASE("replies come from any thread") {
  routes r;
  std::mutex mutex;
  std::vector<std::thread> workers;
  r.post("/work", [&](const request& q, reply answer) {
    const std::lock_guard lock(mutex);
    workers.emplace_back([body = q.body, answer] { answer(json(200, body)); });
  });
  {
    const served s(std::move(r));
    std::vector<std::thread> clients;
    std::atomic<int> right = 0;
    for (int n = 0; n < 4; ++n)
      clients.emplace_back([&, n] {
        client c(s.port);
        for (int i = 0; i < 100; ++i) {
          const auto body = std::to_string(n * 1000 + i);
          right += c.ask(post("/work", body)).body == body;
        }
      });
    for (auto& c : clients) c.join();
    CHECK(right == 400);
  }
  for (auto& w : workers) w.join();
}

TEST_CASE("a late handler gives 504, and its reply goes nowhere") {
  held_replies held;
  routes r = echo();
  r.get("/late", held.hold());
  limits l;
  l.handle = 50ms;
  const served s(std::move(r), l);
  client c(s.port);
  CHECK(c.ask(get("/late")).status == 504);
  CHECK(s.metric("troupe_http_replies_late_total") == 1);
  c.send(get("/late"));
  const reply second = held.at(1);
  held.at(0)(plain(200, "late"));
  second(plain(200, "in time"));
  second(plain(200, "twice"));
  CHECK(c.receive().body == "in time\n");
  CHECK(c.ask(get("/hello")).body == "hello\n");
}

TEST_CASE("a reply may outlive its client and its server") {
  held_replies held;
  {
    routes r;
    r.get("/held", held.hold());
    const served s(std::move(r));
    client gone(s.port), kept(s.port);
    gone.send(get("/held"));
    const reply first = held.at(0);
    gone.reset();
    first(plain(200));
    kept.send(get("/held"));
    held.at(1);
  }
  held.at(1)(plain(200));
  CHECK(held.size() == 2);
}

TEST_CASE("requests are timed and connections counted") {
  const served s(echo());
  {
    client c(s.port);
    c.ask(get("/hello"));
    CHECK(s.metric("troupe_http_connections_open") == 1);
  }
  CHECK(eventually([&] { return s.metric("troupe_http_connections_open") == 0; }));
  CHECK(s.metric("troupe_http_request_seconds_count") == 1);
}

TEST_CASE("an address that cannot be listened on is named, with the remedy") {
  const served first(echo());
  struct row {
    const char* host;
    std::uint16_t port;
    const char* remedy;
  };
  for (const auto& [host, port, remedy] :
       {row{"127.0.0.1", first.port, "choose another port"}, row{"192.0.2.1", 8080, "ip address"},
        row{"no-such-host.invalid", 8080, "resolves"}}) {
    CAPTURE(host);
    troupe::metrics::registry registry;
    server second("second", echo(), registry);
    const std::string address = std::string(host) + ':' + std::to_string(port);
    CHECK_THROWS_WITH_AS(second.start(host, port), doctest::Contains(address.c_str()),
                         listen_error);
    CHECK_THROWS_WITH_AS(second.start(host, port), doctest::Contains(remedy), listen_error);
    CHECK(second.port() == 0);
    CHECK(second.start("127.0.0.1", 0) != 0);
  }
}

TEST_CASE("a server that never started drains, stops and goes") {
  troupe::metrics::registry registry;
  server idle("idle", echo(), registry);
  idle.drain();
  idle.stop();
  CHECK(idle.publish("channel", "data"));
}
