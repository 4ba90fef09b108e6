#include "app/notification_config.hpp"

#include <doctest/doctest.h>

#include "tests/runtime/options/round_trip.hpp"

namespace troupe {
namespace {

using lines = std::vector<std::string>;
using nlohmann::json;

lines read(const std::string& document, ops::notification_options& to) {
  std::vector<violation> found;
  const auto parsed = json::parse(document);
  read_section(parsed, {"f", testing::variables({{"SECRET", "0123456789abcdef"}}), {}, found},
               [&](section& s) { notification_section(to).describe(s); });
  lines problems;
  for (const auto& v : found) problems.push_back(to_string(v));
  return problems;
}

}  // namespace

TEST_CASE("every notification option reaches its own member") {
  ops::notification_options o;
  CHECK(read(R"({"channels": {"a": {"type": "webhook", "url": "https://example.org/x",
                                    "secret": "${SECRET}"},
                              "b": {"type": "log"}, "c": {"type": "kafka"}},
                 "fills": ["a"], "risk_denials": ["b"], "halts": ["c"],
                 "session_phases": ["a", "b"], "session_failures": ["b", "c"],
                 "node_deaths": ["a", "c"],
                 "timeout_ms": 100, "backoff_ms": 11, "backoff_max_ms": 12, "attempts_max": 3,
                 "age_max_s": 4, "queue_max": 5, "ids_remembered": 6})",
             o) == lines{});
  CHECK(o.channels.at("a").type == ops::channel_type::webhook);
  CHECK(o.channels.at("a").url == "https://example.org/x");
  CHECK(o.channels.at("a").secret == "0123456789abcdef");
  CHECK(o.channels.at("b").type == ops::channel_type::log);
  CHECK(o.channels.at("c").type == ops::channel_type::kafka);
  CHECK(o.rules.fills == lines{"a"});
  CHECK(o.rules.risk_denials == lines{"b"});
  CHECK(o.rules.halts == lines{"c"});
  CHECK(o.rules.session_phases == lines{"a", "b"});
  CHECK(o.rules.session_failures == lines{"b", "c"});
  CHECK(o.rules.node_deaths == lines{"a", "c"});
  CHECK(o.delivery.timeout.count() == 100);
  CHECK(o.delivery.backoff.count() == 11);
  CHECK(o.delivery.backoff_max.count() == 12);
  CHECK(o.delivery.attempts_max == 3);
  CHECK(o.delivery.age_max.count() == 4);
  CHECK(o.delivery.queue_max == 5);
  CHECK(o.delivery.ids_remembered == 6);
}

TEST_CASE("everything that is wrong with notifications is told at once, without secrets") {
  ops::notification_options o;
  const auto problems =
      read(R"({"channels": {"a": {"type": "webhook", "url": "ftp://example.org", "secret": "hush"},
                            "B": {"type": "log"}, "c": {"type": "mail"}, "d": 7,
                            "e": {"type": "kafka", "url": "https://example.org"},
                            "f": {"type": "webhook", "url": "http:///x", "secret": "${SECRET}",
                                  "more": 1}},
               "halts": ["A!"], "queue_max": 0, "backoff_ms": 400000})",
           o);
  const auto said = [&](const std::string& words) {
    const auto has = [&](const std::string& p) { return p.find(words) != std::string::npos; };
    return std::ranges::any_of(problems, has);
  };
  for (const auto* words : {"a.url", "a.secret", "channels.B", "c.type", "channels.d", "e.url",
                            "f.url", "f.more", "halts", "queue_max", "backoff_ms"})
    CHECK_MESSAGE(said(words), words);
  CHECK(problems.size() == 11);
  CHECK_FALSE(said("hush"));
  CHECK_FALSE(said("0123456789abcdef"));
}

TEST_CASE("what a channel lacks is named, too") {
  ops::notification_options o;
  const auto problems = read(R"({"channels": {"a": {}, "b": {"type": "webhook"}}})", o);
  REQUIRE(problems.size() == 3);
  CHECK(problems[0] == "f: channels.a.type: must be one of log, kafka, webhook");
  CHECK(problems[1].find("channels.b.url") != lines::value_type::npos);
  CHECK(problems[2].find("channels.b.secret") != lines::value_type::npos);
}

TEST_CASE("rules name channels that there are") {
  ops::notification_options o;
  const auto problems =
      read(R"({"channels": {"a": {"type": "log"}}, "fills": ["a", "b"], "node_deaths": ["c"]})", o);
  REQUIRE(problems.size() == 2);
  CHECK(problems[0].find("channels has no b") != std::string::npos);
  CHECK(problems[1].find("channels has no c") != std::string::npos);
}

}  // namespace troupe
