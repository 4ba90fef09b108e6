#include "runtime/options/reader.hpp"

#include <doctest/doctest.h>

#include "tests/runtime/options/config_files.hpp"

namespace troupe {
namespace {

enum class fruit { apple, pear };

struct sample {
  std::uint32_t small = 5;
  std::int64_t large = 7;
  std::chrono::milliseconds wait{10};
  std::chrono::seconds nap{1};
  bool on = false;
  std::string word = "w";
  std::string secret;
  fruit pick = fruit::apple;
  std::vector<std::string> names{"a"};
  int inner = 1;
};

void describe(section& s, sample& o) {
  s.number("small", o.small, {1, 10, "apples"}, "Small.");
  s.number("large", o.large, {INT64_MIN, INT64_MAX}, "Large.");
  s.duration("wait_ms", o.wait, {0, 100}, "Wait.");
  s.duration("nap_s", o.nap, {1, 5}, "Nap.");
  s.rule(o.wait < o.nap, "wait_ms", {"nap_s"}, "must be less than nap_s");
  s.flag("on", o.on, "On.");
  s.text("word", o.word, {"up to 3 letters", [](std::string_view t) { return t.size() <= 3; }},
         "Word.");
  s.text("secret", o.secret,
         {"1 to 4 characters", [](std::string_view t) { return !t.empty() && t.size() < 5; }, true,
          [](std::string_view) { return std::string("***"); }},
         "Secret.");
  s.choice("pick", o.pick, {{"apple", fruit::apple}, {"pear", fruit::pear}}, "Pick.");
  const auto wrong = [](const std::string& t) {
    return std::string(t.size() == 1 ? "" : "must be one letter");
  };
  s.list("names", o.names, 1, "letters", wrong, "Names.");
  s.group("group", "Group.", [&](section& g) {
    g.number("inner", o.inner, {0, 9}, "Inner.");
    g.rule(o.inner != 4, "inner", {}, "must not be 4");
  });
}

struct outcome {
  sample options;
  std::vector<std::string> problems;
};

outcome read(const char* text, std::map<std::string, std::string> variables = {}) {
  outcome out;
  std::vector<violation> found;
  known_options known;
  const auto describe_it = [&](section& s) { describe(s, out.options); };
  collect_paths(describe_it, "", known);
  read_section(nlohmann::json::parse(text),
               {"f", testing::variables(std::move(variables)), known, found}, describe_it);
  for (const auto& v : found) out.problems.push_back(to_string(v).substr(3));
  return out;
}

using lines = std::vector<std::string>;

TEST_CASE("every kind of option is read") {
  const auto [o, problems] =
      read(R"({"small": 10, "large": -9223372036854775808, "wait_ms": 0, "nap_s": 5, "on": true,
      "word": "", "secret": "abc", "pick": "pear", "names": ["x", "y"], "group": {"inner": 9}})");
  CHECK(problems == lines{});
  CHECK(o.small == 10);
  CHECK(o.large == INT64_MIN);
  CHECK(o.wait == std::chrono::milliseconds(0));
  CHECK(o.nap == std::chrono::seconds(5));
  CHECK(o.on);
  CHECK(o.word.empty());
  CHECK(o.secret == "abc");
  CHECK(o.pick == fruit::pear);
  CHECK(o.names == lines{"x", "y"});
  CHECK(o.inner == 9);
}

TEST_CASE("what is left out keeps its default") {
  const auto [o, problems] = read(R"({"secret": "abc"})");
  CHECK(problems == lines{});
  CHECK(o.small == 5);
  CHECK(o.names == lines{"a"});
}

TEST_CASE("every violation is reported, and refused values change nothing") {
  const auto [o, problems] =
      read(R"({"small": 11, "large": 1e30, "wait_ms": "5", "nap_s": 1.5, "on": 1, "word": "long",
      "secret": "hunter2", "pick": "plum", "names": ["x", "yy", 3, "x"], "group": {"inner": -1, "other": 1}})");
  CHECK(problems ==
        lines{
            "small = 11: must be 1 to 10 apples",
            "large = 1e+30: must be a whole number, -9223372036854775808 to 9223372036854775807",
            "wait_ms = \"5\": must be a whole number, 0 to 100 ms",
            "nap_s = 1.5: must be a whole number, 1 to 5 s",
            "on = 1: must be true or false",
            "word = \"long\": must be up to 3 letters",
            "secret = \"***\": must be 1 to 4 characters",
            "pick = \"plum\": must be one of apple, pear",
            "names[1] = \"yy\": must be one letter",
            "names[2] = 3: must be a text: letters",
            "names[3] = \"x\": stands in the list already",
            "group.inner = -1: must be 0 to 9",
            "group.other: unknown option",
        });
  CHECK(o.small == 5);
  CHECK(o.large == 7);
  CHECK(o.wait == std::chrono::milliseconds(10));
  CHECK(o.word == "w");
  CHECK(o.pick == fruit::apple);
  CHECK(o.names == lines{"a"});
  CHECK(o.inner == 1);
}

TEST_CASE("numbers stop at their bounds") {
  for (const auto* bad : {"0", "-1", "11", "4294967297", "18446744073709551615",
                          "99999999999999999999", "1.0", "null", "[]", "{}"})
    CHECK_MESSAGE(
        read((R"({"secret": "a", "small": )" + std::string(bad) + '}').c_str()).problems.size() ==
            1,
        bad);
  for (const auto* good : {"1", "10"})
    CHECK_MESSAGE(
        read((R"({"secret": "a", "small": )" + std::string(good) + '}').c_str()).problems.empty(),
        good);
}

TEST_CASE("a required option must be there") {
  CHECK(read("{}").problems == lines{"secret: is missing: 1 to 4 characters"});
}

TEST_CASE("an option in the wrong place or misspelt is told where it belongs") {
  struct row {
    const char *key, *hint;
  };
  for (const auto& r :
       {row{"smal", "; did you mean small?"}, row{"Small", "; did you mean small?"},
        row{"wait_s", "; did you mean wait_ms?"}, row{"inner", "; did you mean group.inner?"},
        row{"zebra", ""}, row{"naems", "; did you mean names?"}})
    CHECK(
        read((R"({"secret": "a", ")" + std::string(r.key) + R"(": "hunter2"})").c_str()).problems ==
        lines{r.key + (": unknown option" + std::string(r.hint))});
}

TEST_CASE("a broken relation shows the value, even a default") {
  CHECK(read(R"({"secret": "a", "group": {"inner": 4}})").problems ==
        lines{"group.inner = 4: must not be 4"});
  sample o;
  o.wait = std::chrono::seconds(2);
  std::vector<violation> found;
  read_section({{"secret", "a"}}, {"f", testing::variables({}), {}, found},
               [&](section& s) { describe(s, o); });
  REQUIRE(found.size() == 1);
  CHECK(found[0].value == "2000 (the default)");
}

TEST_CASE("a relation is not judged on values that could not be read") {
  CHECK(read(R"({"secret": "a", "wait_ms": 101})").problems ==
        lines{"wait_ms = 101: must be 0 to 100 ms"});
}

TEST_CASE("what stands instead of an object is not printed") {
  CHECK(read(R"({"secret": "a", "group": "password=hunter2"})").problems ==
        lines{"group: must be an object { ... }, not a string"});
  CHECK(read(R"({"secret": "a", "word": {"password": "hunter2"}})").problems ==
        lines{"word = {...}: must be a text: up to 3 letters"});
}

TEST_CASE("variables are replaced, and what they hold is never printed") {
  const std::map<std::string, std::string> env{{"GOOD", "abc"}, {"LONG", "hunter2"}};
  CHECK(read(R"({"secret": "${GOOD}"})", env).options.secret == "abc");
  CHECK(read(R"({"secret": "a", "word": "${LONG}", "names": ["b", "${LONG}"], "pick": "${NONE}"})",
             env)
            .problems == lines{"word = \"${LONG}\": must be up to 3 letters",
                               "pick = \"${NONE}\": environment variable NONE is not set",
                               "names[1] = \"${LONG}\": must be one letter"});
}

}  // namespace
}  // namespace troupe
