#include "runtime/cluster/links.hpp"
#include "tests/runtime/cluster/link_ends.hpp"

namespace troupe::cluster {

namespace {

using namespace troupe::test;
using security::role;

/// The cluster's certificates, a node that asks for them, and somebody who calls it.
struct secured {
  certificate_files files{"here"};
  security::credential_files of_node = files.node("node-1");
  door d{self_of("here", role::node, "node-1", &of_node)};
  caller c;

  link_self node(const std::string& id, certificate_life life = {}) const {
    const auto f = files.node(id, life);
    return self_of("here", role::node, id, &f);
  }
  std::string text(const std::string& name) const { return files.text(name); }
  link_self person(const std::string& name) const {
    const auto f = files.person(name);
    return self_of("here", role::operator_, name, &f);
  }
};

/// Somebody who says that he is `claims` and shows a certificate of `truth`.
link_self claiming(security::identity claims, const security::credential_files& files,
                   security::identity truth) {
  link_self self;
  self.who = std::move(claims);
  self.credentials = std::make_shared<security::credentials>(files, std::move(truth));
  return self;
}

const security::identity node_2{"here", role::node, "node-2"};

}  // namespace

TEST_CASE("nodes and operators with certificates of the cluster get the root actor") {
  secured s;
  CHECK(s.c.ask(s.c.dial(s.d.target(), s.node("node-2")), std::string("hello")) == "root: hello");
  caller other;
  CHECK(other.ask(other.dial(s.d.target(), s.person("alice")), admin_atom_v,
                  std::string("status")) == "admin: status");
  CHECK(s.d.listener->links() == 2);
}

TEST_CASE("what crosses a link with TLS cannot be read on the way") {
  secured s;
  // A way that keeps what it carries.
  const int ear = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  REQUIRE(::bind(ear, reinterpret_cast<sockaddr*>(&at), sizeof at) == 0);
  REQUIRE(::listen(ear, 1) == 0);
  ::getsockname(ear, reinterpret_cast<sockaddr*>(&at), &size);
  std::string heard;
  std::thread carrier([&] {
    const int from = ::accept(ear, nullptr, nullptr), to = s.d.connect();
    std::thread back([&] {
      char bytes[4096];
      for (ssize_t n; (n = ::recv(to, bytes, sizeof bytes, 0)) > 0;)
        (void)!::send(from, bytes, static_cast<std::size_t>(n), MSG_NOSIGNAL);
      ::shutdown(from, SHUT_RDWR);
    });
    char bytes[4096];
    for (ssize_t n; (n = ::recv(from, bytes, sizeof bytes, 0)) > 0;) {
      heard.append(bytes, static_cast<std::size_t>(n));
      (void)!::send(to, bytes, static_cast<std::size_t>(n), MSG_NOSIGNAL);
    }
    ::shutdown(to, SHUT_RDWR);
    back.join();
    ::close(from);
    ::close(to);
  });
  {
    caller other;
    const link_target target{"127.0.0.1", ntohs(at.sin_port), "node-1"};
    const std::string secret = "a very particular secret";
    CHECK(other.ask(other.dial(target, s.node("node-2")), secret) == "root: " + secret);
  }
  carrier.join();
  ::close(ear);
  CHECK(heard.size() > 1000);
  CHECK(heard.find("very particular") == std::string::npos);
  CHECK(heard.find("node-2") == std::string::npos);
}

TEST_CASE("a certificate of a stranger's authority is refused, at both ends") {
  secured s;
  const certificate_files stranger("here");
  // It trusts the cluster's authority besides its own: so it is the node that must refuse.
  auto strange = stranger.node("node-2");
  CHECK(failure(s.d.target(), claiming(node_2, strange, node_2))
            .find("its certificate is refused: ") != std::string::npos);
  strange.ca = s.files.write("both.crt", s.text("ca.crt") + stranger.text("ca.crt"), 0644);
  CHECK(failure(s.d.target(), claiming(node_2, strange, node_2)).find("alert") !=
        std::string::npos);
  CHECK(s.d.logged("its certificate is refused: "));
  CHECK(s.d.listener->links() == 0);
}

TEST_CASE("a certificate of another cluster is refused, even of an authority that is trusted") {
  const certificate_files here("here"), there("there");
  const auto both = here.write("both.crt", here.text("ca.crt") + there.text("ca.crt"), 0644);
  auto of_node = here.node("node-1");
  of_node.ca = both;
  const door d(self_of("here", role::node, "node-1", &of_node));
  auto other = there.node("node-2");
  other.ca = both;
  const security::identity truth{"there", role::node, "node-2"};
  CHECK(failure(d.target(), claiming(node_2, other, truth))
            .find("the certificate belongs to troupe://there/node/node-2, not to "
                  "troupe://here/node/node-2") != std::string::npos);
  CHECK(d.logged("the certificate belongs to troupe://there/node/node-2"));
  // Who says the truth reaches a node of another cluster than the one that he wants.
  CHECK(failure(d.target(), claiming(truth, other, truth))
            .find("belongs to troupe://here/node/node-1, not to troupe://there/node/node-1") !=
        std::string::npos);
  CHECK(d.listener->links() == 0);
}

TEST_CASE("a certificate proves one name only") {
  secured s;
  const security::identity node_3{"here", role::node, "node-3"},
      alice{"here", role::operator_, "alice"};
  CHECK(failure(s.d.target(), claiming(node_3, s.files.node("node-2"), node_2))
            .find("the certificate belongs to troupe://here/node/node-2") != std::string::npos);
  CHECK(failure(s.d.target(), claiming(node_2, s.files.person("alice"), alice))
            .find("the certificate belongs to troupe://here/operator/alice") != std::string::npos);
  CHECK(failure(s.d.target("node-9"), s.node("node-2"))
            .find("its certificate belongs to troupe://here/node/node-1, not to "
                  "troupe://here/node/node-9") != std::string::npos);
  CHECK_THROWS_AS(caller().dial(s.d.target(), s.node("node-1")), duplicate_node);
}

TEST_CASE("an operator's certificate is no node's") {
  const certificate_files files("here");
  const door pretender(claiming({"here", role::node, "node-1"}, files.person("alice"),
                                {"here", role::operator_, "alice"}));
  const auto f = files.node("node-2");
  CHECK(failure(pretender.target(), self_of("here", role::node, "node-2", &f))
            .find("unsuitable certificate purpose") != std::string::npos);
}

TEST_CASE("a certificate that ends is refused from then on") {
  secured s;
  const auto soon = s.node("node-2", {0s, 2s});
  CHECK(becomes_true([&] {
    return failure(s.d.target(), soon).find("alert certificate expired") != std::string::npos;
  }));
  CHECK(s.d.logged("its certificate is refused: certificate has expired"));
  const auto f = s.files.node("node-1", {0s, 2s});
  const door other(self_of("here", role::node, "node-1", &f));
  CHECK(becomes_true([&] {
    return failure(other.target(), s.node("node-3"))
               .find("its certificate is refused: certificate has expired") != std::string::npos;
  }));
}

TEST_CASE("with TLS on one side only, both are told") {
  secured s;
  CHECK(failure(s.d.target(), self_of("here", role::node, "node-2"))
            .find("refused: this node speaks TLS only") != std::string::npos);
  CHECK(s.d.logged("this node speaks TLS only"));
  const door plain;
  CHECK(failure(plain.target(), s.node("node-2")).find("it does not speak TLS") !=
        std::string::npos);
  CHECK(plain.logged("it speaks TLS, which is off here"));
}

TEST_CASE("garbage, and handshakes that stop in the middle, harm nobody") {
  secured s;
  const auto far = s.c.dial(s.d.target(), s.node("node-2"));
  const auto before = open_descriptors();
  const std::string hello_begins("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11);
  std::vector<int> strangers;
  for (int i = 0; i < 300; ++i) {
    const std::string said[] = {"", "CAF-like bytes without sense", hello_begins,
                                hello_begins + std::string(2000, '\xff'),
                                std::string(32, '\0') + "basp"};
    strangers.push_back(s.d.connect(said[i % 5]));
    if (i % 50 == 0) CHECK(s.c.ask(far, std::string("still there")) == "root: still there");
  }
  CHECK(failure(s.d.target(), s.node("node-3")) == "");
  for (const int stranger : strangers) read_to_end(stranger);
  CHECK(s.d.logged("this node speaks TLS only"));
  CHECK(s.d.logged("no TLS handshake in time"));
  CHECK(s.c.ask(far, std::string("still there")) == "root: still there");
  CHECK(becomes_true([&] { return open_descriptors() <= before; }));
}

TEST_CASE("a handshake of a byte now and then is given up") {
  secured s;
  const int stranger = s.d.connect();
  const std::string slow =
      std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11) + std::string(500, 'x');
  std::size_t sent = 0;
  while (sent < slow.size() && ::send(stranger, slow.data() + sent, 1, MSG_NOSIGNAL) == 1) {
    ++sent;
    std::this_thread::sleep_for(20ms);  // This is the attack, not a wait.
  }
  CHECK(sent < slow.size());
  CHECK(s.d.logged("no TLS handshake in time"));
  ::close(stranger);
}

TEST_CASE("who is silent after the handshake is given up, too") {
  secured s;
  const auto credentials = s.node("node-2").credentials;
  const auto until = std::chrono::steady_clock::now() + 5s;
  auto link = link_socket::connect("127.0.0.1", s.d.listener->port(), until);
  link.secure(credentials->context(), false, until);
  CHECK(s.d.logged("no answer in time"));
  char byte = 0;
  CHECK_THROWS_AS(link.read_all(&byte, 1, until), link_error);
}

TEST_CASE("replaced certificates count from the next link on; unusable ones never") {
  secured s;
  const auto caller_now = s.node("node-2");
  const auto serial = [&] {
    const auto until = std::chrono::steady_clock::now() + 5s;
    auto link = link_socket::connect("127.0.0.1", s.d.listener->port(), until);
    link.secure(caller_now.credentials->context(), false, until);
    return link.peer_fingerprint();
  };
  const auto first = serial();
  CHECK(serial() == first);
  s.files.node("node-1");
  const auto second = serial();
  CHECK(second != first);
  s.files.write("node-1.crt", "spoilt", 0644);
  CHECK(serial() == second);
  CHECK(s.d.log_text().find("certificates_not_reloaded") != std::string::npos);
  CHECK(s.c.ask(s.c.dial(s.d.target(), caller_now), std::string("hello")) == "root: hello");
  // Tried again at each link, also when the time of the file does not change.
  const auto file = s.files.node("node-1").certificate;
  const auto good = s.files.text("node-1.crt");
  s.files.write("node-1.crt", "spoilt", 0644);
  const auto time = std::filesystem::last_write_time(file);
  CHECK(serial() == second);
  s.files.write("node-1.crt", good, 0644);
  std::filesystem::last_write_time(file, time);
  const auto third = serial();
  CHECK(third != first);
  CHECK(third != second);
}

}  // namespace troupe::cluster
