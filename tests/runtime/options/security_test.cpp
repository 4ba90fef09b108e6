#include <doctest/doctest.h>
#include <sys/stat.h>

#include "runtime/options/load.hpp"
#include "tests/runtime/options/config_files.hpp"
#include "tests/support/certificate_files.hpp"

namespace troupe {
namespace {

using lines = std::vector<std::string>;
using nlohmann::json;

const auto env = testing::variables({{"TOKEN", "0123456789abcdef"}});

/// A node's file beside the file of cluster `demo`, and the demo's certificates elsewhere.
struct node_file {
  testing::config_folder folder;
  test::certificate_files files{"demo"};
  security::credential_files of_node = files.node("node-1");
  json node{{"id", "node-1"}};

  node_file() {
    folder.write("cluster.json",
                 R"({"name": "demo", "kafka": {"brokers": "h:1"}, "postgres": {"dsn": "host=h"}})");
  }
  void use(const security::credential_files& f) {
    node["security"]["ca_file"] = f.ca;
    node["security"]["certificate_file"] = f.certificate;
    node["security"]["key_file"] = f.key;
  }
  config_result load() const {
    return load_config(folder.write("node.json", node.dump()), {}, env);
  }
  lines problems() const { return folder.lines(load().violations); }
};

constexpr auto open_admin =
    ": must be a loopback address (127.x.x.x), or security must have certificates (troupe certs "
    "makes them) or say \"insecure\": true";

TEST_CASE("beyond loopback the admin server needs certificates, or insecure and a token") {
  node_file f;
  f.node["admin"]["host"] = "10.0.0.5";
  CHECK(f.problems() == lines{std::string("node.json: admin.host = \"10.0.0.5\"") + open_admin});
  SUBCASE("certificates") {
    f.use(f.of_node);
    CHECK(f.problems() == lines{});
    CHECK(f.load().options->node.security.tls());
    f.node["admin"]["host"] = "0.0.0.0";
    CHECK(f.problems() == lines{"node.json: admin.host = \"0.0.0.0\": must be this machine's own "
                                "address: it is where the other nodes call"});
  }
  SUBCASE("in so many words") {
    f.node["security"]["insecure"] = true;
    CHECK(f.problems() ==
          lines{"node.json: admin.host = \"10.0.0.5\": needs security.token: without TLS it is all "
                "that keeps strangers out"});
    f.node["security"]["token"] = "${TOKEN}";
    CHECK(f.problems() == lines{});
  }
  SUBCASE("a token alone is not enough") {
    f.node["security"]["token"] = "${TOKEN}";
    CHECK(f.problems().size() == 1);
  }
}

TEST_CASE("beyond loopback the HTTP server needs a token, whatever else there is") {
  node_file f;
  f.use(f.of_node);
  f.node["security"]["insecure"] = true;
  f.node["http"]["host"] = "0.0.0.0";
  CHECK(f.problems() == lines{"node.json: http.host = \"0.0.0.0\": must be a loopback address "
                              "(127.x.x.x), or security.token must be set"});
  f.node["security"]["token"] = "${TOKEN}";
  CHECK(f.problems() == lines{});
  CHECK(f.load().options->node.security.token == "0123456789abcdef");
}

TEST_CASE("a token comes from the text or from a file that only its owner reads") {
  node_file f;
  f.node["security"]["token"] = "short";
  CHECK(f.problems() == lines{"node.json: security.token = \"***\": must be 16 to 128 visible "
                              "characters without spaces (openssl rand -hex 16 makes some)"});
  f.node["security"]["token"] = 5;
  CHECK(f.problems().front().starts_with("node.json: security.token = ***: must be"));
  f.node["security"].erase("token");
  f.node["security"]["token_file"] = "token";
  CHECK(f.problems() == lines{"node.json: security.token_file = \"token\": there is no such file, "
                              "or it cannot be read"});
  f.node["security"]["token_file"] = "/etc";
  CHECK(f.problems() ==
        lines{"node.json: security.token_file = \"/etc\": is a folder, not a file"});
  f.node["security"]["token_file"] = "token";
  const auto file = f.folder.write("token", "fedcba9876543210\n");
  ::chmod(file.c_str(), 0644);
  CHECK(f.problems() == lines{"node.json: security.token_file = \"token\": can be read or changed "
                              "by other users: chmod 600 token"});
  ::chmod(file.c_str(), 0600);
  CHECK(f.problems() == lines{});
  CHECK(f.load().options->node.security.token == "fedcba9876543210");
  f.node["security"]["token"] = "${TOKEN}";
  CHECK(f.problems() == lines{"node.json: security.token_file = \"token\": must not be set besides "
                              "token: one of them is enough"});
}

TEST_CASE("certificates are checked file by file, with the path as it is written") {
  node_file f;
  f.node["security"]["ca_file"] = "certs/ca.crt";
  CHECK(f.problems() ==
        lines{"node.json: security.certificate_file: is missing: certificates need ca_file, "
              "certificate_file and key_file (troupe certs makes them)",
              "node.json: security.key_file: is missing: certificates need ca_file, "
              "certificate_file and key_file (troupe certs makes them)"});
  f.node["security"]["certificate_file"] = "certs/a.crt";
  f.node["security"]["key_file"] = "certs/a.key";
  const std::string gone = ": does not exist (troupe certs makes them)";
  CHECK(f.problems() == lines{"node.json: security.ca_file = \"certs/ca.crt\"" + gone,
                              "node.json: security.certificate_file = \"certs/a.crt\"" + gone,
                              "node.json: security.key_file = \"certs/a.key\"" + gone});
  f.use(f.files.node("node-2"));
  CHECK(f.problems().size() == 1);
  CHECK(f.problems().front().ends_with("belongs to node/node-2, not to node/node-1"));
  f.use(f.files.node("node-1", {std::chrono::hours(-2), std::chrono::hours(1)}));
  CHECK(f.problems().front().ends_with("has expired: make a new one"));
}

TEST_CASE("an operator's pair is checked beside the node's, or alone") {
  node_file f;
  const auto alice = f.files.person("alice");
  f.use(f.of_node);
  f.node["security"]["operator_certificate_file"] = alice.certificate;
  CHECK(f.problems() == lines{"node.json: security.operator_key_file: is missing: certificates "
                              "need ca_file, operator_certificate_file and operator_key_file "
                              "(troupe certs makes them)"});
  f.node["security"]["operator_key_file"] = alice.key;
  CHECK(f.problems() == lines{});
  f.node["security"].erase("certificate_file");
  f.node["security"].erase("key_file");
  CHECK(f.problems() == lines{});
  f.node["security"]["operator_certificate_file"] = f.of_node.certificate;
  f.node["security"]["operator_key_file"] = f.of_node.key;
  CHECK(f.problems().front().ends_with("belongs to node/node-1, not to an operator"));
}

TEST_CASE("paths are seen from the folder of the node's file") {
  node_file f;
  for (const auto* name : {"ca.crt", "node-1.crt", "node-1.key"}) {
    const auto copy = f.folder.write(name, f.files.text(name));
    ::chmod(copy.c_str(), 0600);
  }
  f.use({"ca.crt", "./node-1.crt", "node-1.key"});
  const auto result = f.load();
  CHECK(f.folder.lines(result.violations) == lines{});
  REQUIRE(result.options.has_value());
  CHECK(result.options->node.security.certificate_file == f.folder.path("node-1.crt"));
}

}  // namespace
}  // namespace troupe
