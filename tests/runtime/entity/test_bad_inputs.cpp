// Inputs that a shard cannot use: where they go, and what is kept of them.
#include <doctest/doctest.h>

#include <algorithm>

#include "runtime/base/partition.hpp"
#include "runtime/codec/text.hpp"
#include "runtime/entity/command_decoder.hpp"
#include "runtime/entity/feed_decoder.hpp"
#include "runtime/entity/retry.hpp"
#include "tests/runtime/entity/shard_lives.hpp"
#include "tests/runtime/entity/tally.hpp"
#include "tests/support/savings_account.hpp"

using namespace troupe;
using namespace troupe::test;
using nlohmann::json;
using namespace std::chrono_literals;

namespace {

enum topic : std::uint32_t { numbers, commands };

/// A shard of tallies and savings accounts that is restarted when it fails.
struct busy_shard : shard_lives {
  busy_shard() {
    setup.things.kinds = {tally_kind(), example::savings_kind()};
    setup.things.ingress = {numbers_topic(), {"commands", "savings", make_command_decoder}};
    setup.things.egress = {"fifths", std::string(example::balances_topic),
                           std::string(dead_letter_topic)};
    setup.shard_of = [](const entity_id&) { return shard_id(0); };
  }

  /// Lets everything happen that waits.
  void run() {
    world->run_all();
    if (!world->failure) return;
    REQUIRE(supervision.on_failure(*world->failure, steady_time{}).restart);
    begin();
    world->run_all();
  }
  /// Takes all records, and commits.
  void settle() {
    for (int quiet = 0; quiet < 3; clock += 2s) {
      run();
      const bool fed = world->feed(numbers, 100) | world->feed(commands, 100);
      run();
      world->machine->on_wake();
      run();
      quiet = fed ? 0 : quiet + 1;
    }
  }
  void ask(const message& what, const std::string& id, std::uint64_t ref) {
    world->machine->on_request({"savings", "x"}, what, id, request_ref(ref));
    run();
  }
  void record(topic to, std::string_view key, std::string_view payload) {
    disk.in[to == numbers ? "numbers" : "commands"].push_back(std::string(key) + '|' +
                                                              std::string(payload));
  }
  void command(const std::string& type, json body, const std::string& id = {}) {
    record(commands, "x",
           json{{"to", "savings/x"}, {"type", type}, {"id", id}, {"body", body}}.dump());
  }
  json state(const entity_id& id) { return json::parse(disk.entities.at(id).state); }
  std::vector<json> letters() {
    std::vector<json> all;
    for (const auto& [seq, text] : disk.out["dead-letter"]) all.push_back(json::parse(text));
    return all;
  }
};

}  // namespace

TEST_CASE("a command that is quarantined is kept as its record came, and can be put back") {
  busy_shard s;
  s.begin();
  s.command("deposit", {{"amount", 50}});
  s.command("transfer", {{"amount", 20}}, "t-1");  // To whom? On that it throws.
  s.command("deposit", {{"amount", 1}});
  s.settle();
  CHECK(s.state({"savings", "x"})["balance"] == 51);
  REQUIRE(s.disk.quarantined.size() == 1);
  const auto& kept = s.disk.quarantined[0];
  CHECK(kept.source == "commands");
  CHECK(kept.place == 1);
  CHECK(kept.key + '|' + kept.input == s.disk.in["commands"][1]);
  const auto letters = s.letters();
  REQUIRE(letters.size() == 1);
  CHECK(letters[0]["reason"] == "quarantined");
  CHECK(letters[0]["key"] == "x");
  CHECK(letters[0]["payload"] == kept.input);
}

TEST_CASE("what is quarantined and was no record is kept as its message") {
  busy_shard s;
  s.begin();
  s.run();
  s.ask({"deposit", {{"amount", 50}}}, "d", 1);
  for (std::uint64_t n = 2; n <= 4; ++n) s.ask({"transfer", {{"amount", 20}}}, "t", n);
  CHECK(s.disk.quarantined.empty());
  s.ask({"transfer", {{"amount", 20}}}, "t", 5);
  CHECK(s.world->replies.at(5)["error"] == "quarantined");
  REQUIRE(s.disk.quarantined.size() == 1);
  CHECK(s.disk.quarantined[0].source == "request");
  CHECK(s.disk.quarantined[0].key == "t");
  CHECK(json::parse(s.disk.quarantined[0].input) ==
        json{{"to", "savings/x"}, {"type", "transfer"}, {"body", {{"amount", 20}}}});
}

TEST_CASE("who is to hear of what is quarantined hears it by the same commit, once") {
  busy_shard s;
  const auto in_this_shard = [](const entity_id& of) { return shard_id(of.key == "far" ? 1 : 0); };
  s.setup.shard_of = in_this_shard;
  s.setup.things.kinds[1].when_quarantined = [](const failed_input& what, effects& out) {
    CHECK(to_string(what.of) == "savings/x");
    CHECK(what.source == "request");
    CHECK(what.key == "t");
    CHECK(!what.reason.empty());
    for (const auto* who : {"near", "far"}) out.tell({"savings", who}, {"credit", {{"amount", 7}}});
  };
  s.begin();
  s.run();
  s.ask({"deposit", {{"amount", 50}}}, "d", 1);
  for (std::uint64_t n = 2; n <= 5; ++n) s.ask({"transfer", {{"amount", 20}}}, "t", n);
  CHECK(s.world->replies.at(5)["error"] == "quarantined");
  REQUIRE(s.disk.quarantined.size() == 1);
  CHECK(s.state({"savings", "near"})["balance"] == 7);
  REQUIRE(s.world->to_shards.size() == 1);
  CHECK(s.world->to_shards[0].target == "shard:1");
  s.begin();
  s.run();
  CHECK(s.state({"savings", "near"})["balance"] == 7);
}

TEST_CASE("where telling of a quarantine fails itself, nobody is told and the shard goes on") {
  busy_shard s;
  s.rules.restarts_per_minute_max = 20;
  s.setup.things.kinds[1].when_quarantined = [](const failed_input&, effects& out) {
    out.tell({"savings", "near"}, {"transfer", {{"amount", 20}}});  // Throws, too: to nobody.
  };
  s.begin();
  s.run();
  s.ask({"deposit", {{"amount", 50}}}, "d", 1);
  s.world->machine->on_request({"savings", "near"}, {"deposit", {{"amount", 50}}}, "e",
                               request_ref(30));
  s.run();
  for (std::uint64_t n = 2; n <= 20 && s.disk.quarantined.empty(); ++n)
    s.ask({"transfer", {{"amount", 20}}}, "t", n);
  CHECK(s.disk.quarantined.size() == 1);
  s.ask({"deposit", {{"amount", 50}}}, "f", 21);
  CHECK(s.world->replies.at(21)["balance"] == 100);
}

TEST_CASE("what is given back has one effect, whoever repeats it, and no failed try in its way") {
  busy_shard s;
  s.begin();
  s.run();
  s.ask({"deposit", {{"amount", 50}}}, "d", 1);
  for (std::uint64_t n = 2; n <= 5; ++n) s.ask({"transfer", {{"amount", 20}}}, "t", n);
  CHECK(s.world->replies.at(5)["error"] == "quarantined");
  std::uint64_t n = 10;
  const auto balance_after = [&](const std::string& id) {
    s.ask({"deposit", {{"amount", 1}}}, id, ++n);
    CHECK_MESSAGE(s.world->replies.at(n)["balance"] == s.state({"savings", "x"})["balance"], id);
    return s.state({"savings", "x"})["balance"].get<int>() - 50;
  };
  CHECK(balance_after(retry_id(7, "a", "t")) == 1);
  CHECK(balance_after(retry_id(7, "b", "t")) == 1);
  CHECK(balance_after(retry_id(8, "c", "t")) == 1);  // Put aside twice.
  CHECK(balance_after(retry_id(9, "a", "")) == 2);
  CHECK(balance_after(retry_id(9, "b", "")) == 2);
  CHECK(balance_after(retry_id(12, "c", effect_id(retry_id(9, "a", "")))) == 2);
  CHECK(balance_after(retry_id(10, "a", "")) == 3);
  CHECK(balance_after("quarantine:x") == 4);
  CHECK(balance_after("u") == 5);
  CHECK(balance_after(retry_id(11, "a", "u")) == 5);
}

TEST_CASE("a nest of a megabyte is a dead letter with its reason, and the shard goes on") {
  busy_shard s;
  s.begin();
  const std::string nest(1'000'000, '[');
  const std::string before = R"({"to": "savings/x", "type": "deposit", )";
  for (const auto* member : {R"("body": )", R"("id": )", R"("more": )"})
    s.record(commands, "x", before + member + nest);
  s.record(commands, "x", nest);
  s.command("deposit", {{"amount", 5}});
  s.settle();
  CHECK(s.state({"savings", "x"})["balance"] == 5);
  const auto letters = s.letters();
  REQUIRE(letters.size() == 4);
  for (const auto& letter : letters) {
    CHECK(letter["reason"] == "malformed_json");
    CHECK(letter["detail"] == "is nested deeper than 32 levels");
  }
}

TEST_CASE("a record that is too large is a dead letter whatever topic it comes by") {
  busy_shard s;
  for (auto& def : s.setup.things.ingress) def.record_bytes_max = 100;
  s.begin();
  const std::string large(101, '1'), largest(100, ' ');
  s.record(numbers, "a", "4");
  s.record(numbers, "a", large);
  s.record(numbers, "a", "6");
  s.record(commands, "x", large);
  s.record(commands, "x", largest);
  s.command("deposit", {{"amount", 5}});
  s.settle();
  CHECK(s.state({"tally", "a"}) == json{{"sum", 10}, {"count", 2}});
  CHECK(s.state({"savings", "x"})["balance"] == 5);
  std::vector<std::string> told;
  for (const auto& letter : s.letters())
    told.push_back(letter["source"].get<std::string>() + ' ' + letter["reason"].get<std::string>() +
                   ": " + letter["detail"].get<std::string>());
  std::ranges::sort(told);
  const std::string why = " record_too_large: 101 bytes, at most 100 (ingress.record_bytes_max)";
  CHECK(told == std::vector<std::string>{"commands malformed_json: is not JSON", "commands" + why,
                                         "numbers" + why});
}

TEST_CASE("a record whose key belongs to another partition is a dead letter") {
  busy_shard s;
  for (auto& def : s.setup.things.ingress) def.partitions = 8;
  std::string here, elsewhere;
  for (char c = 'a'; here.empty() || elsewhere.empty(); ++c)
    (partition_of(std::string(1, c), 8) == 0 ? here : elsewhere) = c;
  s.begin();
  s.record(numbers, here, "4");
  s.record(numbers, elsewhere, "5");
  s.record(numbers, here, "6");
  s.record(commands, elsewhere, "{}");
  s.record(commands, "", "{}");
  s.settle();
  CHECK(s.state({"tally", here}) == json{{"sum", 10}, {"count", 2}});
  CHECK(!s.disk.entities.contains({"tally", elsewhere}));
  const auto letters = s.letters();
  std::multiset<std::string> reasons;
  for (const auto& letter : letters) reasons.insert(letter["reason"]);
  CHECK(reasons ==
        std::multiset<std::string>{"missing_field", "wrong_partition", "wrong_partition"});
  CHECK(letters[0]["detail"] ==
        "a key's partition is that of Kafka's default partitioner (murmur2), here " +
            std::to_string(partition_of(elsewhere, 8)) + " of 8");
}

TEST_CASE("who follows does not get what was too large for the entity, either") {
  auto topics = std::vector{numbers_topic()};
  topics[0].record_bytes_max = 2;
  feed_decoder decoder(topics);
  const std::vector<record_view> records{{"a", "10", 0}, {"a", "100", 1}, {"a", "20", 2}};
  const auto found = decoder.decode(0, records);
  std::vector<std::int64_t> offsets;
  for (const auto& one : found)
    for (std::size_t i = 0; i < one.events->size(); ++i)
      offsets.push_back(one.events->at(i).value());
  CHECK(offsets == std::vector<std::int64_t>{0, 2});
}
