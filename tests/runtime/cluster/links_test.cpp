#include "runtime/cluster/links.hpp"

#include <malloc.h>
#include <sys/resource.h>
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
extern "C" std::size_t __sanitizer_get_current_allocated_bytes();  // g++ 12 has no header for it.
#endif

#include "runtime/cluster/frame_filter.hpp"
#include "tests/runtime/cluster/link_ends.hpp"
#include "tests/support/tcp_proxy.hpp"

namespace troupe::cluster {

namespace {

using namespace troupe::test;
using security::role;

const std::string hello_size(1024, '\0');

link_self node(const std::string& id, const std::string& cluster = "here") {
  return self_of(cluster, role::node, id);
}

/// A hello as node-2 of this cluster writes it.
std::string raw_hello(
    std::string text = R"(troupe/2 {"from":"troupe://here/node/node-2","life":5})") {
  text.resize(hello_size.size(), '\0');
  return text;
}

std::string raw_header(std::uint8_t operation, std::uint32_t claims) {
  std::string bytes(32, '\0');
  bytes[0] = static_cast<char>(operation);
  for (int i = 0; i < 4; ++i)
    bytes[static_cast<std::size_t>(4 + i)] = static_cast<char>(claims >> (24 - 8 * i));
  return bytes;
}

std::size_t resident_bytes() {
  std::ifstream in("/proc/self/statm");
  std::size_t pages = 0, resident = 0;
  in >> pages >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

/// How much more may be resident after an attack; a sanitizer keeps a shadow of all memory.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::size_t attack_bytes_max = 256U << 20;
#else
constexpr std::size_t attack_bytes_max = 64U << 20;
#endif

/// Of this process, in use.
std::size_t allocated_bytes() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return __sanitizer_get_current_allocated_bytes();
#else
  const auto all = ::mallinfo2();
  return all.uordblks + all.hblkhd;
#endif
}

/// A way to a node's door on which everything that the node says takes its time.
class slow_way {
 public:
  slow_way(const door& to, std::chrono::milliseconds delay) : delay_(delay), there_(to.connect()) {
    listener_ = listen_on("127.0.0.1", 0);
    socklen_t size = sizeof at_;
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&at_), &size);
    thread_ = std::thread([this] { carry(); });
  }
  ~slow_way() {
    ::shutdown(listener_, SHUT_RDWR);
    ::shutdown(there_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
    ::close(there_);
  }
  link_target target() const { return {"127.0.0.1", ntohs(at_.sin_port), "node-1"}; }

 private:
  void carry() {
    const int here = ::accept(listener_, nullptr, nullptr);
    std::thread on_the_way_there([&] { pass(here, there_, 0ms); });
    pass(there_, here, delay_);
    on_the_way_there.join();
    ::close(here);
  }
  static void pass(int from, int to, std::chrono::milliseconds delay) {
    char bytes[4096];
    for (ssize_t n; (n = ::recv(from, bytes, sizeof bytes, 0)) > 0;) {
      std::this_thread::sleep_for(delay);  // This is how the way is, not a wait.
      (void)!::send(to, bytes, static_cast<std::size_t>(n), MSG_NOSIGNAL);
    }
    ::shutdown(to, SHUT_RDWR);
  }

  const std::chrono::milliseconds delay_;
  const int there_;
  int listener_ = -1;
  sockaddr_in at_{};
  std::thread thread_;
};

}  // namespace

TEST_CASE("a node of the cluster gets the root actor") {
  const door d;
  caller c;
  CHECK(c.ask(c.dial(d.target(), node("node-2")), std::string("hello")) == "root: hello");
  CHECK(d.listener->links() == 1);
}

TEST_CASE("links that end leave nothing behind") {
  const door d;
  const auto before = open_descriptors();
  {
    caller a, b;
    a.dial(d.target(), node("node-2"));
    b.dial(d.target(), node("node-3"));
    CHECK(d.listener->links() == 2);
  }
  CHECK(becomes_true([&] { return d.listener->links() == 0 && open_descriptors() <= before; }));
}

TEST_CASE("peers that come and go leave no memory behind") {
  const door d;
  const auto come_and_go = [&](int times) {
    for (int i = 0; i < times; ++i) {
      caller node_2, alice;
      node_2.ask(node_2.dial(d.target(), node("node-2")), std::string("hello"));
      alice.ask(alice.dial(d.target(), self_of("here", role::operator_, "alice")), admin_atom_v,
                std::string("status"));
    }
    REQUIRE(becomes_true([&] { return d.listener->links() == 0; }));
  };
  constexpr int times = 50;
  constexpr std::size_t a_link_max = 200;
  come_and_go(10);
  const auto before = allocated_bytes();
  come_and_go(times);
  CHECK(becomes_true([&] { return allocated_bytes() < before + 2 * times * a_link_max; }));
}

TEST_CASE("a peer may take longer to answer than the time between two heartbeats") {
  const door d;
  slow_way way(d, 250ms);
  caller c;
  CHECK(c.ask(c.dial(way.target(), node("node-2")), std::string("hello")) == "root: hello");
}

TEST_CASE("who does not belong here is refused by name, at both ends") {
  door d;
  d.objection = [](const std::string& id, incarnation life) {
    return id == "node-2" && life.value() == 5 ? "incarnation 6 of node-2 is alive" : "";
  };
  auto superseded = node("node-2");
  superseded.life = incarnation(5);
  const std::tuple<link_target, link_self, std::string> all[] = {
      {d.target(), node("node-2", "there"), "refused: this is cluster here, not there"},
      {d.target("node-9"), node("node-2"), "refused: this is node-1, not node-9"},
      {d.target(), superseded, "refused: incarnation 6 of node-2 is alive"},
  };
  for (const auto& [target, self, words] : all) {
    CHECK(failure(target, self).find(words) != std::string::npos);
    CHECK(d.logged(words.substr(words.find(' ') + 1)));
  }
  CHECK_THROWS_WITH_AS(caller().dial(d.target(), node("node-1")),
                       doctest::Contains("a node with the id node-1 is alive here"),
                       duplicate_node);
  CHECK(d.logged("a node with the id node-1 is alive here"));
  CHECK(d.listener->links() == 0);
}

TEST_CASE("other versions, other protocols and nonsense are answered and logged") {
  const door d;
  const std::pair<std::string, std::string> all[] = {
      {"troupe/1 here", "another protocol version: troupe/1, this is troupe/2"},
      {"troupe/3 {}", "another protocol version: troupe/3, this is troupe/2"},
      {"GET / HTTP/1.1\r\nHost: here\r\n\r\n", "another protocol"},
      {"troupe/2 {", "a hello without sense"},
      {"troupe/2 {\"from\":7}", "a hello without sense"},
      {R"(troupe/2 {"from":"troupe://here/king/arthur","life":1})", "a hello without sense"},
      {R"(troupe/2 {"from":"troupe://here/node/node-2","life":"1"})", "a hello without sense"},
  };
  for (const auto& [text, reason] : all) {
    CAPTURE(text);
    CHECK(read_to_end(d.connect(raw_hello(text))).find(reason) != std::string::npos);
    CHECK(d.logged(reason));
  }
}

TEST_CASE("without TLS a token keeps out who does not have it") {
  auto self = node("node-1");
  self.token = "correct horse battery";
  const door d(self);
  auto other = node("node-2");
  for (const auto* wrong : {"", "correct horse batterx", "correct horse battery "}) {
    other.token = wrong;
    CHECK(failure(d.target(), other).find("the token is missing or wrong") != std::string::npos);
  }
  CHECK(d.log_text().find("horse") == std::string::npos);
  other.token = self.token;
  caller c;
  CHECK(c.ask(c.dial(d.target(), other), std::string("hello")) == "root: hello");
}

/// How many strangers this process may have: each takes a descriptor here and one at the listener.
int strangers_max() {
  rlimit all{};
  ::getrlimit(RLIMIT_NOFILE, &all);
  all.rlim_cur = all.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &all);
  const auto room = all.rlim_cur / 2 - 100;
  if (room < 1000) MESSAGE("only ", room, " connections: the limit of descriptors is low");
  return static_cast<int>(std::min<rlim_t>(1000, room));
}

TEST_CASE("a thousand connections at once harm no link, keep no other out, and go") {
  const door d;
  caller c;
  const auto far = c.dial(d.target(), node("node-2"));
  const auto before = open_descriptors();
  const auto memory = resident_bytes();
  std::vector<int> strangers;
  const int many = strangers_max();
  for (int i = 0; i < many; ++i) {
    strangers.push_back(d.connect(i % 2 == 0 ? "" : std::string(500, 'x')));
    if (i % 100 == 0) {
      CHECK(c.ask(far, std::string("still there")) == "root: still there");
      CHECK(failure(d.target(), node("node-3")) == "");
    }
  }
  CHECK(resident_bytes() < memory + attack_bytes_max);
  for (const int s : strangers) read_to_end(s);
  CHECK(c.ask(far, std::string("still there")) == "root: still there");
  CHECK(becomes_true([&] { return open_descriptors() <= before; }));
}

TEST_CASE("a byte now and then buys no time") {
  const door d;
  const int s = d.connect();
  const auto hello = raw_hello();
  std::size_t sent = 0;
  while (sent < hello.size() && ::send(s, hello.data() + sent, 1, MSG_NOSIGNAL) == 1) {
    ++sent;
    std::this_thread::sleep_for(20ms);  // This is the attack, not a wait.
  }
  CHECK(sent < hello.size());
  CHECK(d.logged("no answer in time"));
  ::close(s);
}

TEST_CASE("a peer that announces gigabytes gets no memory, and the others keep their links") {
  const door d;
  caller c;
  const auto far = c.dial(d.target(), node("node-3"));
  const auto memory = resident_bytes();
  for (const auto& header : {raw_header(1, 0xffffffff), raw_header(2, 0x7fffffff),
                             raw_header(1, 8) + std::string(8, 'x') + raw_header(2, 0xf0000000)})
    read_to_end(d.connect(raw_hello() + header));
  CHECK(resident_bytes() < memory + attack_bytes_max);
  CHECK(d.logged("a frame of 4294967295 bytes, the most is 65536"));
  CHECK(d.logged("a message before the handshake"));
  CHECK(d.logged("a frame of 4026531840 bytes, the most is 33554432"));
  CHECK(c.ask(far, std::string("hello")) == "root: hello");
}

TEST_CASE("a message of our own that is too large is left out by name, and the link goes on") {
  const door d;
  caller c;
  const auto far = c.dial(d.target(), node("node-2"));
  c.ask(far, std::string("begin"));
  caf::anon_send(far, std::string("large"), std::string(frame_bytes_max, 'x'));
  CHECK(c.ask(far, std::string("hello")) == "root: hello");
  CHECK(d.logged("message_left_out"));
  caf::scoped_actor self{c.system};
  std::size_t arrived = 0;
  self->request(far, caf::duration{20s}, std::string("large"),
                std::string(frame_bytes_max - 1000, 'x'))
      .receive([&](std::size_t n) { arrived = n; }, [](caf::error&) {});
  CHECK(arrived == frame_bytes_max - 1000);
}

/// Node-1, whose links are not silent for long.
link_self impatient(std::chrono::milliseconds silence_max) {
  auto self = node("node-1");
  self.links = std::make_shared<link_register>(silence_max);
  return self;
}

/// A slow network between one caller and a door.
class slow_network {
 public:
  explicit slow_network(std::uint16_t door) : listener_(test::listen_on_loopback(0)) {
    thread_ = std::thread([this, door] { carry(door); });
  }
  ~slow_network() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }
  link_target target() const { return {"127.0.0.1", port_of(listener_), "node-1"}; }

 private:
  static std::uint16_t port_of(int fd) {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
    return ntohs(address.sin_port);
  }
  void carry(std::uint16_t door) const {
    const int near = ::accept(listener_, nullptr, nullptr);
    const int far = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(door);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::connect(far, reinterpret_cast<sockaddr*>(&to), sizeof to);
    std::thread back([=] { copy(far, near, 0ms); });
    copy(near, far, 30ms);
    back.join();
    ::close(near);
    ::close(far);
  }
  static void copy(int from, int to, std::chrono::milliseconds pause) {
    std::vector<char> bytes(64U << 10);
    ssize_t n;
    while ((n = ::recv(from, bytes.data(), bytes.size(), 0)) > 0) {
      if (::send(to, bytes.data(), static_cast<std::size_t>(n), MSG_NOSIGNAL) < 0) break;
      if (n > 1000) std::this_thread::sleep_for(pause);  // This is the slowness, not a wait.
    }
    ::shutdown(from, SHUT_RDWR);
    ::shutdown(to, SHUT_RDWR);
  }

  const int listener_;
  std::thread thread_;
};

TEST_CASE("a link by which nothing comes is cut, by name") {
  const door d(impatient(200ms));
  const int s = d.connect(raw_hello());
  read_to_end(s);
  CHECK(d.logged("nothing has come for 200 ms"));
  CHECK(becomes_true([&] { return d.listener->links() == 0; }));
}

TEST_CASE("heartbeats are enough to keep a link") {
  const auto self = impatient(1000ms);
  const door d(self);
  caller c;
  const auto far = c.dial(d.target(), node("node-2"));
  std::this_thread::sleep_for(1500ms);  // Nothing is said: that is what is tried.
  CHECK(c.ask(far, std::string("hello")) == "root: hello");
  CHECK(d.log_text().find("link_cut") == std::string::npos);
}

TEST_CASE("a large frame that takes longer than all patience cuts no link, and is told of") {
  const auto self = impatient(1000ms);
  std::atomic<int> told{0};
  self.links->on_large_frame([&](incarnation life) { told += life == incarnation(5) ? 1 : 100; });
  const door d(self);
  {
    const slow_network network(d.listener->port());
    caller c;
    auto other = node("node-2");
    other.life = incarnation(5);
    const auto far = c.dial(network.target(), other);
    CHECK(c.ask(far, std::string("hello")) == "root: hello");
    CHECK(told == 0);  // By small ones nobody is kept waiting.
    constexpr std::size_t size = 4U << 20;
    const auto before = std::chrono::steady_clock::now();
    caf::scoped_actor asking{c.system};
    std::size_t arrived = 0;
    asking->request(far, caf::duration{20s}, std::string("large"), std::string(size, 'x'))
        .receive([&](std::size_t n) { arrived = n; }, [](caf::error&) {});
    CHECK(arrived == size);
    CHECK(std::chrono::steady_clock::now() - before > 1500ms);
    CHECK(told >= 10);
    CHECK(told < 100);
  }
  self.links->on_large_frame({});
}

TEST_CASE("a link that is cut is broken for both ends, the others stand") {
  const auto self = impatient(60s);
  const door d(self);
  caller a, b;
  const auto dial = [&](caller& c, const std::string& id, std::int64_t life) {
    auto other = node(id);
    other.life = incarnation(life);
    return c.dial(d.target(), other);
  };
  const auto of_a = dial(a, "node-2", 5), of_b = dial(b, "node-3", 6);
  caf::scoped_actor watching{a.system};
  watching->monitor(of_a);
  self.links->cut(incarnation(5));
  bool down = false;
  watching->receive([&](const caf::down_msg&) { down = true; }, caf::after(10s) >> [] {});
  CHECK(down);
  CHECK(becomes_true([&] { return d.listener->links() == 1; }));
  CHECK(b.ask(of_b, std::string("hello")) == "root: hello");
  self.links->cut(incarnation(5));  // Of nobody any more.
  SUBCASE("also at the end that has dialled") {
    auto own = node("node-4");
    own.links = std::make_shared<link_register>(60s);
    auto target = d.target();
    target.life = incarnation(1);
    caller c;
    c.dial(target, own);
    CHECK(d.listener->links() == 2);
    own.links->cut(incarnation(1));
    CHECK(becomes_true([&] { return d.listener->links() == 1; }));
  }
}

TEST_CASE("an operator speaks to the admin actor and to nobody else") {
  const door d;
  caller c;
  const auto person = self_of("here", role::operator_, "alice");
  const auto far = c.dial(d.target(), person);
  CHECK(c.ask(far, admin_atom_v, std::string("status")) == "admin: status");
  SUBCASE("no other messages") {
    caf::anon_send(far, std::string("hello"));
    CHECK(d.logged("an operator may send requests only"));
  }
  SUBCASE("not the message that ends an actor") {
    caf::anon_send_exit(far, caf::exit_reason::kill);
    CHECK(d.logged("an operator may send requests only"));
  }
  SUBCASE("nor too much of them") {
    caf::anon_send(far, admin_atom_v, std::string(operator_frame_bytes_max, 'x'));
    CHECK(d.logged("the most is 1048576"));
  }
  CHECK(d.logged("operator/alice at 127.0.0.1:"));
  CHECK(becomes_true([&] { return d.listener->links() == 0; }));
  caller again;
  CHECK(again.ask(again.dial(d.target(), person), admin_atom_v, std::string("status")) ==
        "admin: status");
}

TEST_CASE("a port in use is said by name") {
  const door d;
  CHECK_THROWS_WITH_AS(link_listener(const_cast<caf::actor_system&>(d.system), "127.0.0.1",
                                     d.listener->port(), {node("node-1"), d.root, {}, {}}),
                       doctest::Contains("is another node running?"), link_error);
}

}  // namespace troupe::cluster
