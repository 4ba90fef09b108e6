#include <doctest/doctest.h>

#include <future>
#include <latch>
#include <thread>

#include "client.hpp"

using namespace troupe::http;
using namespace std::chrono_literals;

namespace {

routes streams() {
  routes r;
  r.get("/hello", [](const request&, const reply& answer) { answer(plain(200, "hello")); });
  r.stream("/events", "console").stream("/alerts", "alerts");
  return r;
}

/// A reader that has seen the stream begin.
client reader(const served& s, std::string_view path, int receive_buffer = 0) {
  client c(s.port, receive_buffer);
  const auto a = c.ask(get(path));
  CHECK(a.status == 200);
  CHECK(a.header("content-type") == "text/event-stream");
  CHECK(a.header("cache-control") == "no-store");
  return c;
}

double open_streams(const served& s) {
  return s.metric("troupe_http_streams_open");
}

}  // namespace

TEST_CASE("readers get their channel's events, whole and in order") {
  served s(streams());
  client first = reader(s, "/events"), second = reader(s, "/events"), other = reader(s, "/alerts");
  CHECK(open_streams(s) == 3);
  for (int i = 0; i < 100; ++i) CHECK(s.server.publish("console", std::to_string(i)));
  CHECK(s.server.publish("alerts", "fire"));
  CHECK(s.server.publish("nobody", "lost"));
  for (int i = 0; i < 100; ++i) {
    const auto expected = "data: " + std::to_string(i) + "\n\n";
    REQUIRE(first.until("\n\n") == expected);
    REQUIRE(second.until("\n\n") == expected);
  }
  CHECK(other.until("\n\n") == "data: fire\n\n");
}

TEST_CASE("an event of many lines stays one event") {
  served s(streams());
  client c = reader(s, "/events");
  for (const char* data : {"one\ntwo", "one\r\ntwo", "one\rtwo"}) {
    s.server.publish("console", data);
    CHECK(c.until("\n\n") == "data: one\ndata: two\n\n");
  }
  s.server.publish("console", "");
  CHECK(c.until("\n\n") == "data: \n\n");
  s.server.publish("console", "a\n\nevent: forged");
  CHECK(c.until("\n\n") == "data: a\ndata: \ndata: event: forged\n\n");
}

TEST_CASE("HEAD of a stream does not open one") {
  const served s(streams());
  client c(s.port);
  c.send("HEAD /events HTTP/1.1\r\nHost: t\r\n\r\n");
  CHECK(c.receive(true).header("content-type") == "text/event-stream");
  CHECK(c.ask(get("/hello")).status == 200);
  CHECK(open_streams(s) == 0);
}

TEST_CASE("a silent stream shows life, and so finds out who has left") {
  limits l;
  l.heartbeat = 20ms;
  const served s(streams(), l);
  {
    client c = reader(s, "/events");
    CHECK(c.until("\n\n") == ":\n\n");
    CHECK(c.until("\n\n") == ":\n\n");
  }
  CHECK(eventually([&] { return open_streams(s) == 0; }));
}

TEST_CASE("a stalled reader is cut, and the others miss nothing") {
  served s(streams());
  const int before = open_descriptors();
  auto stalled = std::make_unique<client>(reader(s, "/events", 4096));
  client good = reader(s, "/events");
  const std::string padding(1000, '.');
  int sent = 0;
  // At the good reader's pace, so that only the stalled one falls behind.
  while (s.metric("troupe_http_streams_cut_total") == 0) {
    REQUIRE(sent < 100'000);
    REQUIRE(s.server.publish("console", std::to_string(++sent) + padding));
    REQUIRE(good.until("\n\n") == "data: " + std::to_string(sent) + padding + "\n\n");
  }
  CHECK(s.metric("troupe_http_streams_cut_total") == 1);
  CHECK(sent < 2'000);
  CHECK(eventually([&] { return open_streams(s) == 1; }));
  CHECK(stalled->rest().size() < static_cast<std::size_t>(sent) * 1000);
  stalled.reset();
  CHECK(eventually([&] { return open_descriptors() == before + 2; }));
  s.server.publish("console", "still here");
  CHECK(good.until("\n\n") == "data: still here\n\n");
}

TEST_CASE("a reader that stops reading without events to queue is cut by time") {
  limits l;
  l.send = 100ms;
  l.stream_events_max = 1'000'000;
  served s(streams(), l);
  const client stalled = reader(s, "/events", 4096);
  const std::string large(1 << 20, '.');
  s.server.publish("console", large);
  CHECK(eventually([&] { return open_streams(s) == 0; }));
  CHECK(s.metric("troupe_http_connections_cut_total") == 1);
}

TEST_CASE("draining delivers what was published before and ends the streams") {
  served s(streams());
  client c = reader(s, "/events");
  for (int i = 0; i < 100; ++i) s.server.publish("console", std::to_string(i));
  std::thread draining([&] { s.server.drain(); });
  for (int i = 0; i < 100; ++i) REQUIRE(c.until("\n\n") == "data: " + std::to_string(i) + "\n\n");
  CHECK(c.rest().empty());
  { const client gone(std::move(c)); }
  draining.join();
}

TEST_CASE("stopping ends streams at once") {
  served s(streams());
  client c = reader(s, "/events");
  s.server.stop();
  CHECK(c.rest().empty());
  CHECK(open_streams(s) == 0);
}

TEST_CASE(
    "publishing faster than the server's thread can follow is refused, not queued without end") {
  std::promise<void> release;
  std::latch blocked(1);
  routes r = streams();
  r.get("/block",
        [&, released = release.get_future().share()](const request&, const reply& answer) {
          blocked.count_down();
          released.wait();
          answer(plain(200));
        });
  limits l;
  l.publish_events_max = 10;
  served s(std::move(r), l);
  client c = reader(s, "/events"), blocking(s.port);
  blocking.send(get("/block"));
  blocked.wait();
  for (int i = 0; i < 10; ++i) CHECK(s.server.publish("console", std::to_string(i)));
  CHECK_FALSE(s.server.publish("console", "too much"));
  CHECK(s.metric("troupe_http_events_dropped_total") == 1);
  release.set_value();
  for (int i = 0; i < 10; ++i) CHECK(c.until("\n\n") == "data: " + std::to_string(i) + "\n\n");
  CHECK(s.server.publish("console", "room again"));
  CHECK(c.until("\n\n") == "data: room again\n\n");
}
