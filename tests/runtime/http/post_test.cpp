#include <doctest/doctest.h>

#include <condition_variable>
#include <future>
#include <mutex>

#include "runtime/http/client.hpp"
#include "runtime/http/server.hpp"

using namespace troupe;
using namespace std::chrono_literals;

namespace {

/// A server that answers with what the path says, and keeps what it was sent.
class receiver {
 public:
  receiver() : server_("receiver", make_routes(), metrics_) {
    port_ = server_.start("127.0.0.1", 0);
  }
  std::string url(const std::string& path) const {
    return "http://127.0.0.1:" + std::to_string(port_) + path;
  }
  std::vector<http::request> taken() {
    const std::lock_guard lock(mutex_);
    return taken_;
  }
  void await(std::size_t count) {
    std::unique_lock lock(mutex_);
    came_.wait(lock, [&] { return taken_.size() >= count; });
  }

 private:
  http::routes make_routes() {
    http::routes r;
    r.post("/status/{code}", [this](http::request q, http::reply reply) {
      const auto code = std::stoi(q.path_parts.at("code"));
      keep(std::move(q));
      auto answer = http::plain(code, std::string(100'000, 'x'));
      if (code == 302) answer.headers.emplace_back("Location", "/status/200");
      reply(std::move(answer));
    });
    r.post("/silent", [this](http::request q, http::reply reply) {
      keep(std::move(q));
      const std::lock_guard lock(mutex_);
      silent_.push_back(reply);  // Never answered.
    });
    return r;
  }
  void keep(http::request q) {
    const std::lock_guard lock(mutex_);
    taken_.push_back(std::move(q));
    came_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable came_;
  std::vector<http::request> taken_;
  std::vector<http::reply> silent_;
  metrics::registry metrics_;
  http::server server_;
  std::uint16_t port_ = 0;
};

http::outcome post(http::client& by, http::outgoing what) {
  auto end = std::make_shared<std::promise<http::outcome>>();
  auto future = end->get_future();
  REQUIRE(by.post(std::move(what), [end](http::outcome o) { end->set_value(std::move(o)); }));
  return future.get();
}

}  // namespace

TEST_CASE("a POST arrives with its headers and body; the answer's status comes back") {
  receiver to;
  http::client by(4);
  const std::string body = "{\"price\": \"1.5\", \"text\": \"\xc3\xa9\"}";
  const auto end = post(by, {to.url("/status/202"), {{"X-Troupe-Id", "a b"}}, body, 5s});
  CHECK(end.status == 202);
  CHECK(end.error.empty());
  const auto taken = to.taken();
  REQUIRE(taken.size() == 1);
  CHECK(taken[0].method == "POST");
  CHECK(taken[0].body == body);
  CHECK(taken[0].header("x-troupe-id") == "a b");
}

TEST_CASE("every status comes back as it is; redirects are not followed") {
  receiver to;
  http::client by(4);
  for (const int status : {200, 302, 404, 429, 500, 503})
    CHECK(post(by, {to.url("/status/" + std::to_string(status)), {}, "x", 5s}).status == status);
  CHECK(to.taken().size() == 6);
}

TEST_CASE("no answer, no server, no such protocol: status 0 and a reason") {
  receiver to;
  http::client by(4);
  const std::vector<std::string> urls{to.url("/silent"), "http://127.0.0.1:1/", "file:///etc/hosts",
                                      "nonsense:"};
  for (const auto& url : urls) {
    const auto end = post(by, {url, {}, "x", 300ms});
    CHECK(end.status == 0);
    CHECK_FALSE(end.error.empty());
  }
}

TEST_CASE("a server that speaks no TLS fails an https request") {
  receiver to;
  http::client by(4);
  auto url = to.url("/status/200");
  url.insert(4, "s");
  CHECK(post(by, {url, {}, "x", 5s}).status == 0);
  CHECK(to.taken().empty());
}

TEST_CASE("more than allowed at a time are refused; a silent receiver holds up nobody else") {
  receiver to;
  http::client by(2);
  CHECK(by.post({to.url("/silent"), {}, "x", 60s}, [](http::outcome) {}));
  to.await(1);
  CHECK(post(by, {to.url("/status/200"), {}, "x", 5s}).status == 200);
  CHECK(by.post({to.url("/silent"), {}, "x", 60s}, [](http::outcome) {}));
  CHECK_FALSE(by.post({to.url("/status/200"), {}, "x", 5s}, [](http::outcome) { FAIL("called"); }));
}

TEST_CASE("a client that goes calls nobody back") {
  receiver to;
  bool called = false;
  {
    http::client by(2);
    CHECK(by.post({to.url("/silent"), {}, "x", 60s}, [&](http::outcome) { called = true; }));
    to.await(1);
  }
  CHECK_FALSE(called);
}
