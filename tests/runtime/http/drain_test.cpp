#include <doctest/doctest.h>

#include <future>
#include <latch>
#include <mutex>
#include <optional>
#include <thread>

#include "client.hpp"

using namespace troupe::http;
using namespace std::chrono_literals;

namespace {

bool refuses(std::uint16_t port) {
  try {
    const client c(port);
    return false;
  } catch (const client::connect_refused&) {
    return true;
  }
}

routes hello() {
  routes r;
  r.get("/hello", [](const request&, const reply& answer) { answer(plain(200, "hello")); });
  return r;
}

/// One handler whose reply is given by the test.
struct held {
  std::promise<reply> given;
  std::future<reply> got = given.get_future();

  routes at(std::string_view path) {
    routes r = hello();
    r.get(path, [this](const request&, reply answer) { given.set_value(std::move(answer)); });
    return r;
  }
};

}  // namespace

TEST_CASE(
    "draining answers what was asked, pipelined requests too, and tells the client to close") {
  held h;
  served s(h.at("/held"));
  client c(s.port);
  c.send(get("/held") + get("/hello") + get("/hello"));
  const reply answer = h.got.get();
  std::thread draining([&] { s.server.drain(); });
  CHECK(eventually([&] { return refuses(s.port); }));
  answer(plain(200, "after all"));
  const auto first = c.receive(), second = c.receive(), third = c.receive();
  draining.join();
  CHECK(first.body == "after all\n");
  CHECK(second.body == "hello\n");
  CHECK(third.body == "hello\n");
  CHECK(third.header("connection") == "close");
  CHECK(c.rest().empty());
}

TEST_CASE("an idle client may ask once more while draining") {
  limits l;
  l.linger = 10s;
  l.drain = 15s;
  served s(hello(), l);
  client c(s.port);
  c.ask(get("/hello"));
  std::thread draining([&] { s.server.drain(); });
  CHECK(eventually([&] { return refuses(s.port); }));
  const auto a = c.ask(get("/hello"));
  CHECK(a.status == 200);
  CHECK(a.header("connection") == "close");
  CHECK(c.rest().empty());
  { const client gone(std::move(c)); }
  draining.join();
}

TEST_CASE("an idle client that asks nothing more is let go") {
  limits l;
  l.linger = 50ms;
  served s(hello(), l);
  client c(s.port);
  c.ask(get("/hello"));
  s.server.drain();
  CHECK(c.rest().empty());
  CHECK(refuses(s.port));
}

TEST_CASE("who connected before the drain is answered, though not yet accepted") {
  std::promise<void> release;
  std::latch blocked(1);
  routes r = hello();
  r.get("/block",
        [&, released = release.get_future().share()](const request&, const reply& answer) {
          blocked.count_down();
          released.wait();
          answer(plain(200));
        });
  served s(std::move(r));
  client first(s.port);
  first.send(get("/block"));
  blocked.wait();
  std::latch calling(1);
  std::thread draining([&] {
    calling.count_down();
    s.server.drain();
  });
  calling.wait();
  std::vector<client> waiting;
  for (int i = 0; i < 20; ++i) {
    waiting.emplace_back(s.port);
    waiting.back().send(get("/hello"));
  }
  release.set_value();
  for (auto& c : waiting) CHECK(c.receive().body == "hello\n");
  waiting.clear();
  first.receive();
  draining.join();
}

TEST_CASE("draining under load loses no request") {
  limits l;
  l.linger = 10s;
  l.drain = 15s;
  served s(hello(), l);
  std::atomic<int> answered = 0, lost = 0, told_to_close = 0;
  const auto load = [&] {
    try {
      for (;;) {
        client c(s.port);
        for (answer a; a.header("connection") != "close";) {
          a = c.ask(get("/hello"));
          if (a.status != 200) {
            ++lost;
            return;
          }
          ++answered;
        }
        ++told_to_close;
      }
    } catch (const client::connect_refused&) {
    }
  };
  std::vector<std::thread> clients;
  for (int i = 0; i < 16; ++i) clients.emplace_back(load);
  CHECK(eventually([&] { return answered > 2000; }));
  s.server.drain();
  for (auto& c : clients) c.join();
  CHECK(lost == 0);
  CHECK(told_to_close == 16);
  CHECK(s.metric("troupe_http_requests_total", ",status=\"2xx\"") == answered);
}

TEST_CASE("a handler that never replies holds the drain no longer than its limit") {
  held h;
  limits l;
  l.drain = 100ms;
  l.linger = 50ms;
  served s(h.at("/held"), l);
  client c(s.port);
  c.send(get("/held"));
  const reply never = h.got.get();
  const auto begin = std::chrono::steady_clock::now();
  s.server.drain();
  const auto took = std::chrono::steady_clock::now() - begin;
  CHECK(took >= 100ms);
  CHECK(took < 5s);
  never(plain(200));
}

TEST_CASE("stopping cuts at once, and again does nothing") {
  held h;
  served s(h.at("/held"));
  client busy(s.port), idle(s.port);
  idle.ask(get("/hello"));
  busy.send(get("/held"));
  const reply never = h.got.get();
  const auto begin = std::chrono::steady_clock::now();
  s.server.stop();
  CHECK(std::chrono::steady_clock::now() - begin < 5s);
  CHECK(busy.rest().empty());
  CHECK(idle.rest().empty());
  CHECK(refuses(s.port));
  s.server.stop();
  s.server.drain();
  CHECK(s.metric("troupe_http_connections_open") == 0);
}

TEST_CASE("a drain in progress can be stopped") {
  held h;
  limits l;
  l.drain = 60s;
  l.handle = 60s;
  served s(h.at("/held"), l);
  client c(s.port);
  c.send(get("/held"));
  const reply never = h.got.get();
  std::thread draining([&] { s.server.drain(); });
  CHECK(eventually([&] { return refuses(s.port); }));
  const auto begin = std::chrono::steady_clock::now();
  s.server.stop();
  draining.join();
  CHECK(std::chrono::steady_clock::now() - begin < 10s);
}
