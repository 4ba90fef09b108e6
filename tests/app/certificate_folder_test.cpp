#include "app/certificate_folder.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include "app/failure.hpp"
#include "runtime/security/credentials.hpp"
#include "tests/app/feed/temp_folder.hpp"

namespace troupe::app {

namespace {

using feed::test::temp_folder;
using security::role;

unsigned mode_of(const std::string& file) {
  struct stat s {};
  REQUIRE(::stat(file.c_str(), &s) == 0);
  return s.st_mode & 0777;
}

}  // namespace

TEST_CASE("what the folder makes is what a node and an operator need") {
  const temp_folder temp;
  const certificate_folder folder({temp.path() + "/certs", 30, false});
  folder.make_authority("demo");
  folder.issue(role::node, "node-1", {"127.0.0.1"});
  folder.issue(role::operator_, "alice", {});
  CHECK(security::problems_of(
            {folder.authority(), folder.certificate("node-1"), folder.key("node-1")},
            {"demo", role::node, "node-1"})
            .empty());
  CHECK(
      security::problems_of({folder.authority(), folder.certificate("alice"), folder.key("alice")},
                            {"demo", role::operator_, "alice"})
          .empty());
  for (const auto* name : {"ca", "node-1", "alice"}) CHECK(mode_of(folder.key(name)) == 0600);
}

TEST_CASE("nothing is overwritten unless forced, and keys and certificates stay together") {
  const temp_folder temp;
  certificate_folder::options o{temp.path() + "/certs", 30, false};
  certificate_folder(o).make_authority("demo");
  certificate_folder(o).issue(role::node, "node-1", {});
  const certificate_folder folder(o);
  const auto ca = read_text_file(folder.authority());
  const auto key = read_text_file(folder.key("node-1"));
  CHECK_THROWS_WITH(folder.make_authority("demo"),
                    doctest::Contains("exists already: --force replaces it"));
  CHECK_THROWS_WITH(folder.issue(role::node, "node-1", {}),
                    doctest::Contains("exists already: --force replaces it"));
  std::filesystem::remove(folder.certificate("node-1"));
  CHECK_THROWS(folder.issue(role::node, "node-1", {}));  // The key alone is reason enough.
  CHECK(read_text_file(folder.authority()) == ca);
  CHECK(read_text_file(folder.key("node-1")) == key);
  o.force = true;
  certificate_folder(o).issue(role::node, "node-1", {});
  CHECK(read_text_file(folder.key("node-1")) != key);
  CHECK(security::problems_of(
            {folder.authority(), folder.certificate("node-1"), folder.key("node-1")},
            {"demo", role::node, "node-1"})
            .empty());
}

TEST_CASE("names are refused together, with the one that cannot be issued") {
  const temp_folder temp;
  certificate_folder::options o{temp.path() + "/certs", 30, false};
  certificate_folder(o).make_authority("demo");
  certificate_folder(o).issue(role::node, "node-2", {});
  using names = std::vector<std::string>;
  const auto refusal = [&](const names& all) -> std::string {
    try {
      certificate_folder(o).check(all);
    } catch (const failure& e) {
      return e.name() + ": " + e.what();
    }
    return {};
  };
  CHECK(refusal({"node-1", "node-3"}).empty());
  CHECK(refusal({"node-1", "node-3", "node-1"}).starts_with("wrong_arguments: 'node-1' stands"));
  CHECK(refusal({"node-1", "Node"}).starts_with("wrong_arguments: 'Node': names of"));
  CHECK(refusal({"node-1", "node-2"}).starts_with("file_exists: " + o.folder + "/node-2.crt"));
  o.force = true;
  CHECK(refusal({"node-1", "node-2"}).empty());
  CHECK(refusal({"node-2", "node-2"}).starts_with("wrong_arguments: 'node-2' stands"));
}

TEST_CASE("what cannot be made is refused by name") {
  const temp_folder temp;
  const certificate_folder folder({temp.path() + "/certs", 30, false});
  CHECK_THROWS_WITH(folder.issue(role::node, "node-1", {}), doctest::Contains("troupe certs init"));
  CHECK_THROWS_WITH(folder.make_authority("De mo"), doctest::Contains("1 to 32 of a-z 0-9 -"));
  folder.make_authority("demo");
  for (const auto* bad : {"", "../node", "Node", "ca", "a/b"})
    CHECK_THROWS_MESSAGE(folder.issue(role::node, bad, {}), bad);
  CHECK_THROWS(certificate_folder({"/proc/none", 30, false}).make_authority("demo"));
}

}  // namespace troupe::app
