#include "runtime/cluster/links.hpp"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <vector>

#include "runtime/base/log.hpp"
#include "runtime/entity/engine.hpp"

namespace troupe::cluster {

namespace {

using namespace std::chrono_literals;

/// A node's door, and a way to it from another process' point of view.
struct door {
  door() {
    log::set_level("cluster", log::level::off);
    root = system.spawn([](caf::event_based_actor*) -> caf::behavior {
      return {[](const std::string& text) { return "root: " + text; }};
    });
    listener = std::make_unique<link_listener>(system, "127.0.0.1", 0, "here", root);
  }
  ~door() {
    listener.reset();
    caf::anon_send_exit(root, caf::exit_reason::user_shutdown);
  }

  /// A raw connection that says `text`; its descriptor.
  int connect(const std::string& text) const {
    const int s = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(listener->port());
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::connect(s, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0);
    if (!text.empty()) (void)!::send(s, text.data(), text.size(), MSG_NOSIGNAL);
    return s;
  }
  std::string dial_and_ask(const std::string& cluster = "here") const {
    engine_config mine{1};
    caf::actor_system other{mine};
    const auto far = dial(other, "127.0.0.1", listener->port(), cluster, 3s);
    caf::scoped_actor self{other};
    std::string answer;
    self->request(far, caf::duration{3s}, std::string("hello"))
        .receive([&](const std::string& text) { answer = text; },
                 [&](caf::error& e) { answer = other.render(e); });
    return answer;
  }

  engine_config config{1};
  caf::actor_system system{config};
  caf::actor root;
  std::unique_ptr<link_listener> listener;
};

}  // namespace

TEST_CASE("who knows the cluster's name gets the root actor") {
  const door d;
  CHECK(d.dial_and_ask() == "root: hello");
}

TEST_CASE("another cluster is refused by name") {
  const door d;
  std::string why;
  try {
    d.dial_and_ask("there");
  } catch (const link_error& e) {
    why = e.what();
  }
  CHECK(why.find("refused: this is cluster here") != std::string::npos);
}

TEST_CASE("silent and babbling connections keep nobody out, and are closed") {
  const door d;
  std::vector<int> strangers;
  for (int i = 0; i < 300; ++i)
    strangers.push_back(d.connect(i % 2 == 0 ? "" : std::string(500, 'x')));
  // Those that are being looked at go within a second; then there is room again.
  std::string answer;
  for (const auto until = std::chrono::steady_clock::now() + 10s;
       answer.empty() && std::chrono::steady_clock::now() < until;) {
    try {
      answer = d.dial_and_ask();
    } catch (const link_error&) {
    }
  }
  CHECK(answer == "root: hello");
  for (const int s : strangers) {
    timeval limit{5, 0};
    ::setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    char byte[256];
    ssize_t n;
    while ((n = ::recv(s, byte, sizeof byte, 0)) > 0) {
    }
    CHECK((n == 0 || errno == ECONNRESET));
    ::close(s);
  }
}

TEST_CASE("a port in use is said by name") {
  const door d;
  CHECK_THROWS_WITH_AS(link_listener(const_cast<caf::actor_system&>(d.system), "127.0.0.1",
                                     d.listener->port(), "here", d.root),
                       doctest::Contains("is another node running?"), link_error);
}

}  // namespace troupe::cluster
