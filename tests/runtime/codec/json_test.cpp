#include "runtime/codec/json.hpp"

#include <doctest/doctest.h>

using namespace troupe;
using nlohmann::json;

namespace {

std::string nested(std::string_view open, std::size_t levels, std::string_view close) {
  std::string text;
  for (std::size_t i = 0; i < levels; ++i) text += open;
  text += '1';
  for (std::size_t i = 0; i < levels; ++i) text += close;
  return text;
}

}  // namespace

TEST_CASE("what is JSON is parsed as the library itself parses it") {
  for (const auto* text : {"null", "true", "-1", "18446744073709551615", "1.5e3",
                           "\"\\u00e4\\u0000\"", "[]", "{}", R"([1,[2,{"a":[]}],{"b":{"c":null}}])",
                           R"({"a":1,"a":{"b":2,"b":3}})", " {\"x\" : 1 }\n"}) {
    const auto [value, wrong] = parse_json(text);
    CHECK(wrong.empty());
    CHECK_MESSAGE(value == json::parse(text), text);
  }
}

TEST_CASE("what is not is refused, and so is what is no object where one is wanted") {
  for (const std::string text :
       {"", " ", "{", "[1,]", "{} {}", "nul", "1e999", "\"\xff\"", "{\"a\":\"\x01\"}", "// one\n1"})
    CHECK_MESSAGE(parse_json(text).wrong == "is not JSON", text);
  for (const auto* text : {"[]", "null", "7", "\"{}\""})
    CHECK_MESSAGE(parse_json_object(text).wrong == "is not a JSON object", text);
  CHECK(parse_json_object("{").wrong == "is not JSON");
  CHECK(parse_json_object("{}").ok());
  json_limits may;
  may.comments = true;
  CHECK(parse_json("/* one */ [1] // two", may).value == json{1});
}

TEST_CASE("nesting is taken up to the limit and no deeper, whatever nests") {
  for (const auto& [open, close] :
       {std::pair{"[", "]"}, std::pair{"{\"a\":", "}"}, std::pair{"[{\"a\":0,\"b\":", "}]"}}) {
    const auto a_time = std::string_view(open).starts_with("[{") ? 2U : 1U;
    CHECK(parse_json(nested(open, json_depth_max / a_time, close)).ok());
    CHECK(parse_json(nested(open, json_depth_max / a_time + 1, close)).wrong ==
          "is nested deeper than 32 levels");
    // Closed or not: it is refused before it is built.
    CHECK(parse_json(nested(open, 1 << 18, close)).wrong == "is nested deeper than 32 levels");
    CHECK(parse_json(nested(open, 1 << 18, "")).wrong == "is nested deeper than 32 levels");
  }
  CHECK(parse_json(nested("[", json_inside_depth_max, "]"), {json_inside_depth_max}).ok());
  CHECK(parse_json("[[],[],[[[]]],{}]", {4}).ok());
  CHECK(parse_json("[[],[],[[[]]],{}]", {3}).wrong == "is nested deeper than 3 levels");
}

TEST_CASE("a text that is too long is not looked at") {
  json_limits short_ones;
  short_ones.bytes_max = 4;
  CHECK(parse_json("1234", short_ones).value == 1234);
  CHECK(parse_json("12345", short_ones).wrong == "is longer than 4 bytes");
  CHECK(parse_json("[[[[[[", short_ones).wrong == "is longer than 4 bytes");
}
