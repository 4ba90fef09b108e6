#include <doctest/doctest.h>

#include "actors/ops/notification_entity.hpp"
#include "tests/actors/ops/channel_support.hpp"

using namespace troupe;
using namespace troupe::ops;
using nlohmann::json;

namespace {

struct rig {
  std::shared_ptr<notification_options> options = std::make_shared<notification_options>();
  std::string name;
  std::string saved;
  time_point now = ops::test::start;

  explicit rig(channel_type type) : name("c") {
    options->channels["c"] = {type, "https://example.org/hook", "0123456789abcdef"};
  }
  effects give(const std::string& type, json body) {
    const entity_id self{"notification", name};
    const auto kind = make_notification_kind(options);
    auto core = kind.make(self);
    if (!saved.empty()) core->load(saved, kind.schema);
    effects out;
    core->handle({type, std::move(body)}, {self, now}, out);
    if (!out.read_only) saved = core->save();
    return out;
  }
  json state() const { return json::parse(saved); }
};

const json filled{
    {"id", "fill-1"}, {"rule", "fills"}, {"text", "buy 1 SPY"}, {"facts", {{"price", "1.5"}}}};

json answer(const std::string& outcome) {
  return {{"service", "webhook"},
          {"id", "fill-1"},
          {"answer", {{"outcome", outcome}, {"detail", "HTTP status 500"}}}};
}

}  // namespace

TEST_CASE("a webhook is called with a body that stays the same, at the time of each attempt") {
  rig r(channel_type::webhook);
  const auto first = r.give("notify", filled);
  REQUIRE(first.calls.size() == 1);
  CHECK(first.calls[0].service == "webhook");
  CHECK(first.calls[0].id == "fill-1");
  CHECK(first.calls[0].request.at("time") == to_micros(r.now));
  const auto body = json::parse(first.calls[0].request.at("body").get<std::string>());
  CHECK(body == json{{"id", "fill-1"},
                     {"rule", "fills"},
                     {"channel", "c"},
                     {"text", "buy 1 SPY"},
                     {"facts", {{"price", "1.5"}}},
                     {"time", to_micros(r.now)}});
  REQUIRE(first.timers.size() == 1);
  CHECK(first.timers[0].due == r.now + 2 * r.options->delivery.timeout);
  const auto after = r.give("call_answered", answer("failed"));
  CHECK(after.calls.empty());
  REQUIRE(after.timers.size() == 1);
  r.now = *after.timers[0].due;
  const auto second = r.give("carry", json::object());
  REQUIRE(second.calls.size() == 1);
  CHECK(second.calls[0].request.at("body") == first.calls[0].request.at("body"));
  CHECK(second.calls[0].request.at("time") == to_micros(r.now));
  const auto end = r.give("call_answered", answer("delivered"));
  REQUIRE(end.timers.size() == 1);
  CHECK_FALSE(end.timers[0].due);
  CHECK(r.state().at("delivered") == 1);
}

TEST_CASE("secrets and addresses of webhooks are in no state, call or record") {
  rig r(channel_type::webhook);
  const auto out = r.give("notify", filled);
  CHECK(r.saved.find("0123456789abcdef") == std::string::npos);
  CHECK(out.calls.at(0).request.dump().find("0123456789abcdef") == std::string::npos);
}

TEST_CASE("a channel of type kafka publishes with its commit, and nothing is left to wait for") {
  rig r(channel_type::kafka);
  const auto out = r.give("notify", filled);
  REQUIRE(out.records.size() == 1);
  CHECK(out.records[0].topic == "notifications");
  CHECK(out.records[0].key == "c");
  CHECK(json::parse(out.records[0].payload).at("id") == "fill-1");
  CHECK(out.calls.empty());
  CHECK(out.timers.empty());
  CHECK(r.state().at("delivered") == 1);
  CHECK(r.give("notify", filled).records.empty());
}

TEST_CASE("many that waited for a channel that has become kafka are all published") {
  rig r(channel_type::webhook);
  for (int i = 0; i < 40; ++i) {
    auto one = filled;
    one["id"] = "n" + std::to_string(i);
    r.give("notify", one);
  }
  r.options->channels["c"].type = channel_type::kafka;
  r.now += std::chrono::minutes(1);
  CHECK(r.give("carry", json::object()).records.size() == 40);
  CHECK(r.state().at("waiting").empty());
}

TEST_CASE("a channel of type log calls the log") {
  rig r(channel_type::log);
  const auto out = r.give("notify", filled);
  REQUIRE(out.calls.size() == 1);
  CHECK(out.calls[0].service == "log");
  CHECK(out.calls[0].id == "fill-1");
}

TEST_CASE("what is given up is a dead letter with its reason, and an alert in the log") {
  rig r(channel_type::webhook);
  r.give("notify", filled);
  const auto out = r.give("call_answered", answer("refused"));
  REQUIRE(out.records.size() == 1);
  const auto letter = json::parse(out.records[0].payload);
  CHECK(letter.at("reason") == "refused");
  CHECK(letter.at("detail") == "HTTP status 500");
  REQUIRE(out.calls.size() == 1);
  CHECK(out.calls[0].service == "log");
  CHECK(out.calls[0].request.at("level") == "error");
  CHECK(out.calls[0].id.empty());
  CHECK(r.give("fate", {{"id", "fill-1"}}).answer->at("state") == "dead");
}

TEST_CASE("notices without the right form are refused by name and become dead letters") {
  rig r(channel_type::webhook);
  const std::vector<std::pair<json, std::string>> table{
      {json::array(), "object"},
      {{{"rule", "fills"}, {"text", "x"}}, "id"},
      {{{"id", "a"}, {"rule", "fills"}, {"text", 1}}, "text"},
      {{{"id", "a"}, {"rule", "fills"}, {"text", std::string(1001, 'x')}}, "1000 bytes"},
      {{{"id", "a"}, {"rule", "f"}, {"text", "x"}, {"facts", 1}}, "facts"},
      {{{"id", "a"}, {"rule", "f"}, {"text", "x"}, {"facts", {{"x", std::string(16384, 'x')}}}},
       "16384"},
      {{{"id", "a"}, {"rule", "f"}, {"text", "x"}, {"more", 1}}, "more"},
  };
  for (const auto& [body, said] : table) {
    const auto out = r.give("notify", body);
    REQUIRE(out.answer);
    CHECK(out.answer->at("error") == "malformed");
    CHECK(out.answer->at("detail").get<std::string>().find(said) != std::string::npos);
    REQUIRE(out.records.size() == 1);
    CHECK(json::parse(out.records[0].payload).at("reason") == "malformed");
    CHECK(out.read_only);
  }
}

TEST_CASE("answers of services that make no sense are failures, never an exception") {
  rig r(channel_type::webhook);
  r.give("notify", filled);
  for (const auto& body :
       {json(1), json{{"id", "fill-1"}}, json{{"id", "fill-1"}, {"answer", 7}},
        json{{"id", "fill-1"}, {"answer", {{"outcome", "perhaps"}}}}, json{{"id", ""}}})
    CHECK_NOTHROW(r.give("call_answered", body));
  CHECK(r.give("fate", {{"id", "fill-1"}}).answer->at("state") == "waiting");
}

TEST_CASE("a channel that is not in the config names what it gives up") {
  rig r(channel_type::log);
  r.name = "other";
  const auto out = r.give("notify", filled);
  REQUIRE(out.records.size() == 1);
  CHECK(json::parse(out.records[0].payload).at("reason") == "unknown_channel");
  CHECK(r.state().at("type") == "unknown");
}

TEST_CASE("states of an unknown schema or without form are refused") {
  rig r(channel_type::log);
  auto core = make_notification_kind(r.options).make({"notification", "c"});
  CHECK_THROWS_AS(core->load("{}", 2), bad_state);
  CHECK_THROWS_AS(core->load("{}", 1), bad_state);
  CHECK_THROWS_AS(core->load("7", 1), bad_state);
}
