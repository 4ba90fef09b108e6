#include <doctest/doctest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <mutex>
#include <random>
#include <thread>

#include "client.hpp"

using namespace troupe::http;
using namespace std::chrono_literals;

namespace {

routes echo() {
  routes r;
  r.get("/hello", [](const request&, const reply& answer) { answer(plain(200, "hello")); });
  r.post("/echo", [](const request& q, const reply& answer) { answer(json(201, q.body)); });
  return r;
}

bool all_closed(const served& s) {
  return eventually([&] { return s.metric("troupe_http_connections_open") == 0; });
}

/// Sends one byte at a time, as slowly as allowed, until the server ends it. Returns how long that
/// took.
std::chrono::milliseconds drip(client& c) {
  const auto begin = std::chrono::steady_clock::now();
  while (!c.ends_within(10) && c.send("x")) continue;
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() -
                                                               begin);
}

}  // namespace

TEST_CASE("what is not HTTP gets 400 and the end of the connection") {
  const served s(echo());
  const std::string start = "POST /echo HTTP/1.1\r\n", host = "Host: t\r\n";
  for (const std::string& text :
       {std::string("garbage\r\n\r\n"),
        std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc", 9) + "\r\n\r\n",
        std::string("GET  HTTP/1.1\r\n\r\n"), std::string("GET / HTTP/9.9\r\n\r\n"),
        start + host + "Content-Length: -5\r\n\r\n", start + host + "Content-Length: 5x\r\n\r\n",
        start + host + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
        start + host + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        start + host + "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        start + host + "No colon\r\n\r\n", start + "\r\n", start + host + host + "\r\n"}) {
    CAPTURE(text);
    client c(s.port);
    c.send(text);
    c.half_close();
    const auto a = c.receive();
    CHECK(a.status == 400);
    CHECK(a.header("connection") == "close");
    CHECK(c.rest().empty());
  }
  CHECK(all_closed(s));
}

TEST_CASE("random bytes neither crash nor hang the server") {
  limits l;
  l.linger = 50ms;
  const served s(echo(), l);
  std::mt19937 random(5);
  for (int i = 0; i < 300; ++i) {
    std::string text = i % 2 == 0 ? post("/echo", "0123456789") : std::string();
    for (int n = 0; n < 20; ++n)
      text.insert(random() % (text.size() + 1), 1, static_cast<char>(random()));
    client c(s.port);
    c.send(text);
    c.half_close();
    c.rest();
  }
  CHECK(all_closed(s));
  CHECK(client(s.port).ask(get("/hello")).status == 200);
}

TEST_CASE("a header too large gets 431, readable though more was sent") {
  const served s(echo());
  client c(s.port);
  CHECK(c.send(get("/hello", "X-Large: " + std::string(1 << 20, 'x') + "\r\n")));
  CHECK(c.receive().status == 431);
  CHECK(c.rest().empty());
  CHECK_FALSE(c.was_reset());
}

TEST_CASE("a body too large gets 413, readable though more was sent") {
  const served s(echo());
  const std::string start = "POST /echo HTTP/1.1\r\nHost: t\r\n";
  for (const std::string& how : {std::string("Content-Length: 100000000\r\n\r\n"),
                                 std::string("Transfer-Encoding: chunked\r\n\r\n5f5e100\r\n")}) {
    client c(s.port);
    CHECK(c.send(start + how + std::string(4 << 20, 'x')));
    const auto a = c.receive();
    CHECK(a.status == 413);
    CHECK(a.header("connection") == "close");
    CHECK(c.rest().empty());
    CHECK_FALSE(c.was_reset());
  }
}

TEST_CASE("who goes on sending after a refusal is cut") {
  limits l;
  l.linger = 100ms;
  const served s(echo(), l);
  client c(s.port);
  c.send("POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 100000000\r\n\r\n");
  const std::string more(1 << 20, 'x');
  int sent = 0;
  while (c.send(more)) REQUIRE(++sent < 100'000);
  CHECK(all_closed(s));
}

TEST_CASE("a request dripping in is cut when its time is over, and others are served meanwhile") {
  limits l;
  l.receive = 300ms;
  const served s(echo(), l);
  client header(s.port), body(s.port), good(s.port);
  CHECK(header.ask(get("/hello")).status == 200);
  header.send("GET /hello HTTP/1.1\r\nX-Slow: ");
  body.send("POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 10000\r\n\r\n");
  std::thread slow([&] { CHECK(drip(body) < 5s); });
  CHECK(good.ask(get("/hello")).status == 200);
  CHECK(drip(header) < 5s);
  slow.join();
  CHECK(good.ask(get("/hello")).status == 200);
  CHECK(s.metric("troupe_http_connections_cut_total") == 2);
}

TEST_CASE("a connection that says nothing, or nothing more, is cut") {
  limits l;
  l.receive = 100ms;
  l.idle = 200ms;
  const served s(echo(), l);
  client silent(s.port), once(s.port);
  CHECK(once.ask(get("/hello")).status == 200);
  CHECK(silent.rest().empty());
  CHECK(once.rest().empty());
  CHECK(s.metric("troupe_http_connections_cut_total") == 2);
}

TEST_CASE("a client that does not take its answer is cut") {
  routes r;
  r.get("/large", [](const request&, const reply& answer) {
    answer(plain(200, std::string(32 << 20, 'x')));
  });
  limits l;
  l.send = 100ms;
  const served s(std::move(r), l);
  client c(s.port, 4096);
  c.send(get("/large"));
  CHECK(eventually([&] { return s.metric("troupe_http_connections_cut_total") == 1; }));
  CHECK(all_closed(s));
}

TEST_CASE("connections above the limit are closed, and there is room again when others leave") {
  limits l;
  l.connections_max = 3;
  const served s(echo(), l);
  std::vector<client> open;
  for (int i = 0; i < 3; ++i) {
    open.emplace_back(s.port);
    CHECK(open.back().ask(get("/hello")).status == 200);
  }
  CHECK(client(s.port).ask(get("/hello")).status == 0);
  CHECK(s.metric("troupe_http_connections_refused_total") == 1);
  open.pop_back();
  CHECK(eventually([&] { return s.metric("troupe_http_connections_open") == 2; }));
  CHECK(client(s.port).ask(get("/hello")).status == 200);
}

TEST_CASE("storms of resets leave nothing behind") {
  std::mutex mutex;
  std::vector<reply> held;
  routes r = echo();
  r.get("/held", [&](const request&, reply answer) {
    const std::lock_guard lock(mutex);
    held.push_back(std::move(answer));
  });
  limits l;
  l.handle = 200ms;
  const served s(std::move(r), l);
  CHECK(client(s.port).ask(get("/hello")).status == 200);
  CHECK(all_closed(s));
  const int before = open_descriptors();
  for (int i = 0; i < 1500; ++i) {
    client c(s.port);
    if (i % 3 == 1) c.send("POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 100\r\n\r\nhalf");
    if (i % 3 == 2) c.send(get("/held"));
    c.reset();
  }
  CHECK(eventually([&] { return open_descriptors() == before; }));
  CHECK(all_closed(s));
  CHECK(client(s.port).ask(get("/hello")).status == 200);
}

TEST_CASE("running out of descriptors passes by") {
  const served s(echo());
  CHECK(client(s.port).ask(get("/hello")).status == 200);
  CHECK(all_closed(s));
  client c;
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  const rlimit few{static_cast<rlim_t>(open_descriptors() + 16), before.rlim_max};
  setrlimit(RLIMIT_NOFILE, &few);
  std::vector<int> taken;
  for (int fd; (fd = dup(STDERR_FILENO)) >= 0;) taken.push_back(fd);
  c.connect(s.port);
  c.send(get("/hello"));
  CHECK(eventually([&] { return s.metric("troupe_http_accept_failures_total") > 0; }));
  for (int fd : taken) close(fd);
  setrlimit(RLIMIT_NOFILE, &before);
  CHECK(c.receive().status == 200);
}
