#include "runtime/http/message.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <thread>

using namespace troupe::http;

namespace {

std::optional<request> parsed(std::string target) {
  request r;
  r.target = std::move(target);
  if (!parse_target(r)) return std::nullopt;
  return r;
}

}  // namespace

TEST_CASE("a target is split into path and query") {
  struct row {
    const char* target;
    const char* path;
    parameters query;
  };
  for (const auto& r :
       {row{"/", "/", {}}, row{"/a/b?", "/a/b", {}},
        row{"/a?x=1&y=2", "/a", {{"x", "1"}, {"y", "2"}}}, row{"/a?x=1&x=2", "/a", {{"x", "2"}}},
        row{"/a?x&=v&&", "/a", {{"x", ""}, {"", "v"}}},
        row{"/a?q=b%26c+d%2B%c3%9f", "/a", {{"q", "b&c d+ß"}}},
        row{"/a?x=1?y=2", "/a", {{"x", "1?y=2"}}}, row{"http://host:80/a?x=1", "/a", {{"x", "1"}}},
        row{"/a%2Fb", "/a%2Fb", {}}}) {
    CAPTURE(r.target);
    const auto got = parsed(r.target);
    REQUIRE(got);
    CHECK(got->path == r.path);
    CHECK(got->query == r.query);
  }
}

TEST_CASE("malformed targets are refused") {
  for (const char* target : {"", "*", "a", "http://host", "ftp://host/a", "/a?x=%", "/a?x=%1",
                             "/a?x=%zz", "/a?x=%00", "/a?%g1=1", "/a?x=%+1"}) {
    CAPTURE(target);
    CHECK_FALSE(parsed(target));
  }
}

TEST_CASE("headers are found whatever their case; the first of a name counts") {
  request r;
  r.headers = {{"X-Key", "one"}, {"x-key", "two"}};
  CHECK(r.header("x-KEY") == "one");
  CHECK_FALSE(r.header("x-ke"));
}

TEST_CASE("one call of a reply counts, from whichever thread or copy") {
  for (int round = 0; round < 100; ++round) {
    std::atomic<int> calls = 0;
    const reply original([&](response) { ++calls; });
    std::thread first([copy = original] { copy(plain(200)); });
    std::thread second([copy = original] { copy(plain(500)); });
    original(plain(404));
    first.join();
    second.join();
    REQUIRE(calls == 1);
  }
}

TEST_CASE("an answer without words says the name of its status") {
  CHECK(plain(404).body == "Not Found\n");
  CHECK(plain(400, "no such thing").body == "no such thing\n");
  CHECK(json(201, "{}").content_type == "application/json");
}
