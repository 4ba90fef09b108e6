// Who may not join: each is refused by name on its own side, and the cluster goes on undisturbed.
#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/support/node_process.hpp"

using namespace troupe::test;
using nlohmann::json;

namespace {

/// One running node, and configs of others that want to join it.
class host_cluster {
 public:
  host_cluster() : folder_("", 4, 2), node_({troupe_binary(), "node", "--config", config(1)}) {
    const auto migrated = run_troupe({"migrate", "--config", config(1)});
    if (migrated.exit_code != 0) throw std::runtime_error(migrated.output);
    node_.start();
    wait_until("a live node", std::chrono::seconds(60), [&] {
      return run_troupe({"health", "--config", config(1)}).exit_code == 0;
    });
    incarnation_ = incarnation();
  }

  std::string config(int node) const { return folder_.node_config(node); }
  int port() const { return folder_.admin_port(1); }
  std::string log() const {
    std::ifstream in(folder_.log_file(1));
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  }
  /// A refusal is logged once the peer has it.
  void await_in_log(const std::string& part) const {
    wait_until("the log to say: " + part, std::chrono::seconds(30),
               [&] { return log().find(part) != std::string::npos; });
  }
  /// Another config in the folder: `change` is applied to the JSON of `from`.
  template <class Change>
  std::string changed(const std::string& from, const std::string& name, Change change) const {
    auto all = json::parse(std::ifstream(from));
    change(all);
    const auto path = folder_.path() + '/' + name;
    std::ofstream(path) << all.dump();
    return path;
  }
  std::string cluster_file() const { return folder_.path() + "/cluster.json"; }
  void check_undisturbed() {
    CHECK(node_.running());
    CHECK(incarnation() == incarnation_);
    CHECK(run_troupe({"health", "--config", config(1)}).exit_code == 0);
  }

 private:
  std::string incarnation() const {
    return folder_.database().run("select incarnation from node where id = 'node-1'");
  }
  cluster_folder folder_;
  node_process node_;
  std::string incarnation_;
};

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// What a peer with this hello gets as an answer.
std::string say_hello(int port, std::string hello) {
  hello.resize(1024);
  const int s = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<std::uint16_t>(port));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(::connect(s, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0);
  REQUIRE(::send(s, hello.data(), hello.size(), MSG_NOSIGNAL) == 1024);
  std::string answer;
  char bytes[1024];
  for (ssize_t n; (n = ::recv(s, bytes, sizeof bytes, 0)) > 0;)
    answer.append(bytes, static_cast<std::size_t>(n));
  ::close(s);
  return answer;
}

}  // namespace

TEST_CASE("a second node of the same id is refused while the first lives") {
  host_cluster host;
  const auto twin = host.changed(host.config(2), "twin.json", [](json& c) { c["id"] = "node-1"; });
  const auto refused = run_troupe({"node", "--config", twin});
  CHECK(refused.exit_code == 1);
  CHECK(contains(refused.output, "a live node at 127.0.0.1:" + std::to_string(host.port()) +
                                     " has the id node-1: give each node an id of its own"));
  host.check_undisturbed();
}

TEST_CASE("a node of another cluster is refused by the database and by the links") {
  host_cluster host;
  const auto cluster =
      host.changed(host.cluster_file(), "other.json", [](json& c) { c["name"] = "other"; });
  const auto stranger =
      host.changed(host.config(2), "stranger.json", [](json& c) { c["cluster"] = "other.json"; });
  const auto refused = run_troupe({"node", "--config", stranger});
  CHECK(refused.exit_code == 1);
  CHECK(contains(refused.output, "test"));
  CHECK(contains(refused.output, "other"));

  const auto operator_of_another =
      host.changed(host.config(1), "operator.json", [](json& c) { c["cluster"] = "other.json"; });
  const auto turned_away = run_troupe({"status", "--config", operator_of_another});
  CHECK(turned_away.exit_code == 1);
  CHECK(contains(turned_away.output, "refused: this is cluster test"));
  host.await_in_log("this is cluster test, not other");
  host.check_undisturbed();
}

TEST_CASE("an unknown protocol version is refused by name") {
  host_cluster host;
  CHECK(contains(say_hello(host.port(), "troupe/99 test"),
                 "another protocol version: troupe/99, this is troupe/"));
  host.await_in_log("another protocol version: troupe/99");
  host.check_undisturbed();
}

TEST_CASE("an operator's commands end well, however many: no link outlives its process") {
  const host_cluster host;
  for (int i = 0; i < 300; ++i)
    CHECK(run_troupe({"status", "--json", "--config", host.config(1)}).exit_code == 0);
}
