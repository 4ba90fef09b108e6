#include <doctest/doctest.h>

#include <random>

#include "runtime/options/describe.hpp"
#include "runtime/options/load.hpp"
#include "runtime/options/reader.hpp"
#include "tests/runtime/options/config_files.hpp"

namespace troupe {
namespace {

constexpr std::string_view pieces[] = {"{",
                                       "}",
                                       "[",
                                       "]",
                                       ",",
                                       ":",
                                       "\"",
                                       "\\",
                                       "//",
                                       "/*",
                                       "*/",
                                       "${",
                                       "}",
                                       "${A}",
                                       "$${",
                                       "null",
                                       "true",
                                       "-",
                                       "0",
                                       "1e400",
                                       "99999999999999999999999999",
                                       "-9223372036854775809",
                                       "0.1",
                                       "\"ttl_ms\"",
                                       "\"lease\"",
                                       "\"dsn\"",
                                       "\"password=${PW}\"",
                                       "\"\\u0000\"",
                                       "\"\\ud800\"",
                                       "\xff",
                                       "\xc3",
                                       "\xef\xbb\xbf",
                                       "\n",
                                       "\t",
                                       "{\"\":{}}",
                                       "[[[[[[[[",
                                       "\"a\":",
                                       "\x7f",
                                       "\x1b"};

/// A few random edits: what a slip, a bad merge or a damaged disk makes of a file.
std::string damaged(std::string text, std::mt19937_64& random) {
  const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
  for (auto edits = 1 + below(6); edits > 0; --edits) {
    const auto at = below(text.size() + 1), length = below(below(2) ? 4 : 60);
    switch (below(5)) {
      case 0:
        text.insert(at, pieces[below(std::size(pieces))]);
        break;
      case 1:
        text.erase(at, length);
        break;
      case 2:
        text.insert(at, text.substr(below(text.size() + 1), length));
        break;
      case 3:
        text.replace(at, length, pieces[below(std::size(pieces))]);
        break;
      default:
        if (at < text.size()) text[at] = static_cast<char>(random());
    }
  }
  return text;
}

bool printable(const std::string& line) {
  const auto control = [](char c) { return (static_cast<unsigned char>(c) < 0x20) || c == 0x7f; };
  return std::ranges::none_of(line, control) && line.size() < 2000;
}

/// What is wrong with a text, taken for a cluster's file and for a node's.
std::vector<violation> check(const std::string& text, const environment& env) {
  std::vector<violation> found;
  const auto document = parse_config(text, "f", found);
  if (!document) return found;
  cluster_options cluster;
  node_options node;
  const reading how{"f", env, {}, found};
  if (document->contains("id"))
    read_section(*document, how, [&](section& s) { describe(s, node); });
  else
    read_section(*document, how, [&](section& s) { describe(s, cluster); });
  return found;
}

/// A printed section alone, from the reference of both.
std::string part(const std::string& reference, const std::string& name) {
  const auto parsed = nlohmann::json::parse(reference, nullptr, true, true);
  return parsed[name].dump(2);
}

TEST_CASE("damaged files are refused or read, never worse, and never tell a secret") {
  // `hunter2` stands in the environment only.
  const auto env = testing::variables({{"PW", "hunter2"}, {"A", "b"}});
  const auto reference = print_reference();
  const std::string seeds[] = {
      part(reference, "cluster"), part(reference, "node"), reference,
      R"({"kafka": {"brokers": "h:1", "client": {"sasl.password": "${PW}", "debug": true}}, // why
          "postgres": {"dsn": "host=h password=${PW}"}, "lease": {"ttl_ms": 5000}, "ingress": {"on_truncated": "stop"}})",
      R"({"cluster": "c.json", "id": "a", "log": {"level": "info", "components": {"store": "debug"}}, "http": {"port": 1}})"};
  std::mt19937_64 random(20240229);
  std::size_t read = 0, refused = 0;
  for (int i = 0; i < 100'000; ++i) {
    const auto found = check(damaged(seeds[random() % std::size(seeds)], random), env);
    ++(found.empty() ? read : refused);
    for (const auto& v : found) {
      const auto line = to_string(v);
      if (printable(line) && line.find("hunter2") == line.npos) continue;
      FAIL(i << ": " << line);
    }
  }
  CHECK(read > 500);
  CHECK(refused > 50'000);
}

TEST_CASE("random bytes are refused") {
  std::mt19937_64 random(7);
  for (int i = 0; i < 20'000; ++i) {
    std::string text(random() % 200, '\0');
    for (auto& c : text) c = static_cast<char>(random());
    if (check(text, testing::variables({})).empty()) FAIL(i);
  }
}

}  // namespace
}  // namespace troupe
