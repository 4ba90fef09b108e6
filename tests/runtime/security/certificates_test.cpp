#include "runtime/security/certificates.hpp"

#include <doctest/doctest.h>

#include "runtime/security/token.hpp"

namespace troupe::security {

namespace {
using namespace std::chrono_literals;
}

TEST_CASE("identities are read as they are written, and nothing else is one") {
  for (const auto& who :
       {identity{"demo", role::node, "node-1"}, identity{"a", role::operator_, "alice"},
        identity{std::string(32, 'x'), role::node, std::string(32, '9')}})
    CHECK(parse_identity(to_uri(who)) == who);
  CHECK(to_uri({"demo", role::node, "node-1"}) == "troupe://demo/node/node-1");
  CHECK(to_uri({"demo", role::operator_, "alice"}) == "troupe://demo/operator/alice");
  for (const auto* bad :
       {"", "troupe://", "troupe://demo", "troupe://demo/node", "troupe://demo/node/",
        "troupe:///node/a", "troupe://demo/king/a", "troupe://demo/node/a/b", "http://demo/node/a",
        "troupe://Demo/node/a", "troupe://demo/node/a b", " troupe://demo/node/a",
        "troupe://demo/node/123456789012345678901234567890123"})
    CHECK_MESSAGE(!parse_identity(bad), bad);
  CHECK_FALSE(parse_identity(std::string("troupe://demo/node/a\0b", 22)).has_value());
}

TEST_CASE("an authority issues certificates of its own cluster only") {
  const auto ca = make_authority("demo", 24h), other = make_authority("other", 24h);
  CHECK(authority_of(ca.certificate) == "demo");
  const auto node = issue(ca, {{"demo", role::node, "node-1"}, 1h, {"10.0.0.5", "db.example.org"}});
  CHECK(authority_of(node.certificate) == "");
  const auto text = describe_certificate(node.certificate);
  for (const auto* part : {"troupe://demo/node/node-1", "10.0.0.5", "db.example.org",
                           "TLS Web Server Authentication", "TLS Web Client Authentication"})
    CHECK_MESSAGE(text.find(part) != std::string::npos, part);
  CHECK(text.find("EXPIRED") == std::string::npos);
  CHECK_THROWS_WITH(issue(other, {{"demo", role::node, "node-1"}, 1h, {}}),
                    "this is the authority of cluster 'other', not of 'demo'");
  CHECK_THROWS_WITH(issue({ca.certificate, other.key}, {{"demo", role::node, "a"}, 1h, {}}),
                    "the authority's key does not belong to its certificate");
  CHECK_THROWS(issue(node, {{"demo", role::node, "node-2"}, 1h, {}}));
  for (const auto* host : {"", "a,URI:troupe://demo/node/other", "x\nURI:y"})
    CHECK_THROWS_MESSAGE(issue(ca, {{"demo", role::node, "node-1"}, 1h, {host}}), host);
}

TEST_CASE("no certificate outlives its authority") {
  const auto end_of = [](const key_pair& of) {
    const auto text = describe_certificate(of.certificate);
    const auto at = text.find("valid to");
    return text.substr(at, text.find('\n', at) - at);
  };
  const auto ca = make_authority("demo", 2h);
  CHECK(end_of(issue(ca, {{"demo", role::node, "a"}, 24h, {}})) == end_of(ca));
  CHECK(end_of(issue(ca, {{"demo", role::node, "a"}, 1h, {}})) != end_of(ca));
}

TEST_CASE("an operator's certificate is only for calling, and an old one says so") {
  const auto ca = make_authority("demo", 24h);
  const auto person = issue(ca, {{"demo", role::operator_, "alice"}, 1h, {}, -2h});
  const auto text = describe_certificate(person.certificate);
  CHECK(text.find("troupe://demo/operator/alice") != std::string::npos);
  CHECK(text.find("Server Authentication") == std::string::npos);
  CHECK(text.find("EXPIRED") != std::string::npos);
  CHECK(describe_certificate(ca.certificate).find("authority of cluster demo") !=
        std::string::npos);
  CHECK_THROWS_WITH(describe_certificate("no PEM"),
                    doctest::Contains("this is no certificate in PEM form"));
}

TEST_CASE("secrets are the same or not, whatever their lengths") {
  CHECK(same_secret("abc", "abc"));
  CHECK(same_secret("", ""));
  for (const auto* wrong : {"", "ab", "abd", "abcd", "ABC"}) CHECK_FALSE(same_secret("abc", wrong));
  CHECK(is_token("0123456789abcdef"));
  CHECK_FALSE(is_token("0123456789abcde"));
  CHECK_FALSE(is_token("0123456789 abcdef"));
  CHECK_FALSE(is_token("0123456789abcdef\n"));
  CHECK_FALSE(is_token(std::string(129, 'x')));
}

}  // namespace troupe::security
