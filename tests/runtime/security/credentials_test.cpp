#include "runtime/security/credentials.hpp"

#include <doctest/doctest.h>

#include "tests/support/certificate_files.hpp"

namespace troupe::security {

namespace {

using namespace std::chrono_literals;
using test::certificate_files;

const identity node_1{"demo", role::node, "node-1"};

/// `key: does not ...`, a line a problem.
std::vector<std::string> problems(const credential_files& files, const identity& who = node_1) {
  std::vector<std::string> out;
  for (const auto& p : problems_of(files, who)) {
    const auto* name = p.file == &credential_files::ca            ? "ca"
                       : p.file == &credential_files::certificate ? "certificate"
                                                                  : "key";
    out.push_back(std::string(name) + ": " + p.text);
  }
  return out;
}
using lines = std::vector<std::string>;

}  // namespace

TEST_CASE("files that fit have no problems") {
  const certificate_files files("demo");
  CHECK(problems(files.node("node-1")) == lines{});
  CHECK(problems(files.person("alice"), {"demo", role::operator_, "alice"}) == lines{});
  CHECK(problems(files.person("alice"), {"demo", role::operator_, ""}) == lines{});
}

TEST_CASE("whatever is wrong with a file is said of that file") {
  const certificate_files files("demo"), other("demo"), elsewhere("other");
  const auto good = files.node("node-1");
  auto f = good;
  SUBCASE("missing") {
    f = {files.path("no.ca"), files.path("no.crt"), files.path("no.key")};
    CHECK(problems(f) == lines{"ca: does not exist (troupe certs makes them)",
                               "certificate: does not exist (troupe certs makes them)",
                               "key: does not exist (troupe certs makes them)"});
  }
  SUBCASE("no PEM") {
    f = {files.write("x.ca", "x", 0644), files.write("x.crt", "", 0644),
         files.write("x.key", files.text("node-1.crt"), 0600)};
    CHECK(problems(f) == lines{"ca: holds no certificate in PEM form",
                               "certificate: holds no certificate in PEM form",
                               "key: holds no private key in PEM form without a password"});
  }
  SUBCASE("a folder") {
    f.certificate = std::filesystem::path(good.ca).parent_path();
    CHECK(problems(f).size() == 1);
  }
  SUBCASE("of another authority of the same name") {
    f = other.node("node-1");
    f.ca = good.ca;
    CHECK(problems(f) == lines{"certificate: was not issued by an authority in ca_file"});
  }
  SUBCASE("expired") {
    CHECK(problems(files.node("node-1", {-2h, 1h})) ==
          lines{"certificate: has expired: make a new one"});
  }
  SUBCASE("not valid yet") {
    CHECK(problems(files.node("node-1", {1h, 1h})) ==
          lines{"certificate: would be refused: certificate is not yet valid"});
  }
  SUBCASE("of another cluster") {
    CHECK(problems(elsewhere.node("node-1")) ==
          lines{"certificate: is of cluster other, this is demo"});
  }
  SUBCASE("of another node, of an operator, of nobody") {
    CHECK(problems(files.node("node-2")) ==
          lines{"certificate: belongs to node/node-2, not to node/node-1"});
    CHECK(problems(files.person("alice")).front() ==
          "certificate: belongs to operator/alice, not to node/node-1");
    f.certificate = f.ca;
    CHECK(
        problems(f).front().starts_with("certificate: names no holder: it needs one URI "
                                        "troupe://demo/node/node-1"));
  }
  SUBCASE("of another key") {
    f.key = files.node("node-2").key;
    CHECK(problems(f) == lines{"key: does not belong to the certificate"});
  }
  SUBCASE("folders") {
    f.ca = f.certificate = f.key = "/etc";
    CHECK(problems(f) == lines{"ca: is a folder, not a file",
                               "certificate: is a folder, not a file",
                               "key: is a folder, not a file"});
  }
  SUBCASE("a key that others can read, or the group change") {
    for (const mode_t mode : {0604, 0644, 0660, 0666, 0601}) {
      ::chmod(f.key.c_str(), mode);
      CHECK(problems(f) == lines{"key: can be read or changed by other users: chmod 600 " + f.key});
    }
    for (const mode_t mode : {0600, 0400, 0640, 0440}) {
      ::chmod(f.key.c_str(), mode);
      CHECK(problems(f) == lines{});
    }
  }
}

TEST_CASE("credentials name the file that they cannot use") {
  const certificate_files files("demo");
  auto f = files.node("node-1");
  credentials good(f, node_1);
  CHECK(good.days_left() == 0);
  CHECK(credentials(files.node("node-1", {0s, 72h + 60s}), node_1).days_left() == 3);
  f.key = files.path("none.key");
  CHECK_THROWS_WITH_AS(credentials(f, node_1),
                       doctest::Contains((f.key + " does not exist").c_str()), credentials_error);
}

}  // namespace troupe::security
