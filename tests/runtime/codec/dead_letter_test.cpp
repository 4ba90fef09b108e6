#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "runtime/codec/text.hpp"

using namespace troupe;
using nlohmann::json;

TEST_CASE("a text is cut between its characters") {
  CHECK(cut("abc", 3) == "abc");
  CHECK(cut("abc", 2) == "ab");
  CHECK(cut("a\xC3\xA4z", 2) == "a");
  CHECK(cut("a\xC3\xA4z", 3) == "a\xC3\xA4");
  CHECK(cut("\xF0\x9F\x98\x80", 3).empty());
  CHECK(cut("", 0).empty());
  CHECK(cut(std::string(100, '\x80'), 50).size() == 50);
}

TEST_CASE("a dead letter tells everything of a small record") {
  const auto letter = json::parse(dead_letter_json(
      {"market", 3, 17, "wrong_key", "symbol", "SPY", "{\"a\": 1}", from_micros(5)}));
  CHECK(letter == json{{"source", "market"},
                       {"partition", 3},
                       {"offset", 17},
                       {"reason", "wrong_key"},
                       {"detail", "symbol"},
                       {"key", "SPY"},
                       {"payload", "{\"a\": 1}"},
                       {"time", 5}});
  const auto bytes =
      json::parse(dead_letter_json({"market", 3, 17, "r", "\xff", "\xfe", "\xff", {}}));
  CHECK(bytes["key_base64"] == "/g==");
  CHECK(bytes["payload_base64"] == "/w==");
  CHECK(bytes["detail"] == "");
}

TEST_CASE("a dead letter fits into a record, however large key, payload and detail are") {
  for (const auto* piece : {"x", "\x01", "\xff", "\xC3\xA4", "\xF0\x9F\x98\x80", "\""}) {
    std::string large;
    while (large.size() < 1'000'000) large += piece;
    const auto text = dead_letter_json({"market", 3, 17, "r", large, large, large, {}});
    CHECK(text.size() < 500'000);
    const auto letter = json::parse(text);
    CHECK(letter["key_bytes"] == large.size());
    CHECK(letter["payload_bytes"] == large.size());
    CHECK(letter.contains(is_utf8(large) ? "payload" : "payload_base64"));
    if (is_utf8(large)) CHECK(letter["detail"].get<std::string>().size() > 4'000);
  }
}
