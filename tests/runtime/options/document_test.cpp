#include "runtime/options/document.hpp"

#include <doctest/doctest.h>

#include "tests/runtime/options/config_files.hpp"

namespace troupe {
namespace {

std::vector<std::string> problems(std::string_view text) {
  std::vector<violation> found;
  parse_config(text, "f", found);
  std::vector<std::string> out;
  for (const auto& v : found) out.push_back(to_string(v));
  return out;
}

std::string problem(std::string_view text) {
  const auto all = problems(text);
  CHECK(all.size() == 1);
  return all.empty() ? "" : all.front();
}

TEST_CASE("comments are no part of the document") {
  std::vector<violation> found;
  const auto parsed = parse_config(
      "// one\n{ /* two */ \"a\": [1, {\"b\": null}], \"c\": true } // three", "f", found);
  REQUIRE(parsed.has_value());
  CHECK(found.empty());
  CHECK(*parsed == nlohmann::json{{"a", {1, {{"b", nullptr}}}}, {"c", true}});
}

TEST_CASE("what is not JSON is refused with its place") {
  CHECK(problem("{\n  \"a\": 1,\n  }") ==
        "f: line 3, column 3: syntax error while parsing object key - unexpected '}'; expected "
        "string literal");
  CHECK(
      problem("{\"a\": tru}")
          .starts_with("f: line 1, column 10: syntax error while parsing value - invalid literal"));
  CHECK(problem("{\"a\": 1").starts_with("f: line 1, column 8: syntax error"));
  for (const auto* nothing : {"", " \n\t\r\n"})
    CHECK(problem(nothing) == "f: is empty, and must hold a JSON object: { ... }");
  CHECK(problem("{} {}").starts_with("f: line 1, column 4: syntax error"));
  CHECK(problem("{\"a\": 1e999}") == "f: line 1, column 11: number out of range");
  CHECK(problem("{/* never closed").find("comment") != std::string::npos);
  CHECK(problem("{\"a\": \"\xff\"}").find("ill-formed UTF-8") != std::string::npos);
  CHECK(problem(std::string_view("{}\n\0rest", 8)) ==
        "f: line 2, column 1: must not hold NUL bytes");
  CHECK(problem("[1]") == "f: must be a JSON object: { ... }");
}

TEST_CASE("a syntax error prints nothing of the text, which may be a secret") {
  for (const auto* text : {R"({"dsn": "password=hunter2)", R"({"dsn": hunter2; expected hunter2})",
                           "{\"dsn\": \"hunter2\t\"}"})
    CHECK(problem(text).find("hunter2") == std::string::npos);
}

TEST_CASE("a key that stands twice is found wherever it is, and the first value counts") {
  std::vector<violation> found;
  const auto parsed =
      parse_config(R"({"a": {"b": 1, "b": {"c": 1, "c": 2}}, "x": 1, "a": 3})", "f", found);
  REQUIRE(parsed.has_value());
  CHECK(*parsed == nlohmann::json{{"a", {{"b", 1}}}, {"x", 1}});
  REQUIRE(found.size() == 3);
  CHECK(found[0].field == "a.b");
  CHECK(found[1].field == "a.b.c");
  CHECK(found[2].field == "a");
}

TEST_CASE("deep nesting is refused") {
  for (const std::string bracket : {"[", "{\"a\":"}) {
    std::string text = "{\"a\":";
    for (int i = 0; i < 500'000 / static_cast<int>(bracket.size()); ++i) text += bracket;
    CHECK(problem(text).find("nested deeper than 32 levels") != std::string::npos);
  }
}

TEST_CASE("files that cannot be a configuration are refused before they are read") {
  testing::config_folder folder;
  const auto huge = folder.write("huge.json", "{}");
  const std::string long_name(300, 'x');
  std::filesystem::resize_file(huge, 104'857'600);
  struct row {
    std::string file, expected;
  };
  for (const auto& r :
       {row{huge, "huge.json: is too large: at most 1048576 bytes"},
        row{folder.path("none.json"), "none.json: does not exist"},
        row{folder.path("huge.json/x"), "huge.json/x: does not exist"},
        row{folder.path(long_name), long_name + ": cannot be read: File name too long"},
        row{"/dev/zero", "/dev/zero: is too large: at most 1048576 bytes"},
        row{folder.path("."), ".: is a folder, not a file"}}) {
    std::vector<violation> found;
    CHECK_FALSE(read_config_text(r.file, found).has_value());
    CHECK(folder.lines(found) == std::vector{r.expected});
  }
}

TEST_CASE("variables are replaced in texts") {
  const auto env = testing::variables({{"A", "one"}, {"EMPTY", ""}, {"LINES", "a\nb"}});
  struct row {
    std::string raw, text, wrong;
  };
  for (const auto& r : {
           row{"plain", "plain", ""},
           row{"${A}", "one", ""},
           row{"<${A}${A}>", "<oneone>", ""},
           row{"${EMPTY}", "", ""},
           row{"${EMPTY:-x}${NONE:-y}${A:-z}", "xyone", ""},
           row{"${NONE:-}", "", ""},
           row{"$${A} $A $", "${A} $A $", ""},
           row{"${NONE}", "", "environment variable NONE is not set"},
           row{"${A} ${NONE}", "", "environment variable NONE is not set"},
           row{"${A", "", "${ without }; write $${ for the characters themselves"},
           row{"${}", "", "${...} must name an environment variable: ${NAME} or ${NAME:-default}"},
           row{"${1A}", "",
               "${...} must name an environment variable: ${NAME} or ${NAME:-default}"},
           row{"${A B}", "",
               "${...} must name an environment variable: ${NAME} or ${NAME:-default}"},
           row{"${LINES}", "", "must not hold control characters (a line end in a variable?)"},
       }) {
    CAPTURE(r.raw);
    const auto result = expand(r.raw, env);
    CHECK(result.wrong == r.wrong);
    if (r.wrong.empty()) CHECK(result.text == r.text);
  }
}

TEST_CASE("values are shown short, in ASCII, and structures not at all") {
  CHECK(shown(5) == "5");
  CHECK(shown("a\x1b[31m\u00e9") == R"("a\u001b[31m\u00e9")");
  CHECK(shown(std::string(1000, 'x')).size() < 130);
  CHECK(shown({{"password", "hunter2"}}) == "{...}");
  CHECK(shown_key("lease") == "lease");
  CHECK(shown_key("a b\n") == R"("a b\n")");
}

}  // namespace
}  // namespace troupe
