#include "runtime/bridge/kafka_history.hpp"

#include <doctest/doctest.h>

#include <future>
#include <map>

#include "runtime/bridge/kafka_producer.hpp"
#include "tests/runtime/bridge/kafka_fixture.hpp"

using namespace troupe;
using namespace troupe::bridge;
using outcome = history_chunk::outcome;

namespace {

struct offsets final : event_batch {
  std::vector<position> all;
  std::size_t size() const override { return all.size(); }
  position at(std::size_t i) const override { return all[i]; }
};

/// Every record is an event of its key.
class key_decoder final : public decoder {
 public:
  void decode(std::span<const record_view> records, decoder_sink& sink) override {
    std::map<std::string, std::shared_ptr<offsets>> batches;
    for (const auto& r : records) {
      auto& batch = batches[std::string(r.key)];
      if (!batch) batch = std::make_shared<offsets>();
      batch->all.emplace_back(r.offset);
    }
    for (auto& [key, batch] : batches) sink.deliver(key, batch);
  }
};

/// Records of the keys a, b, c, a, b, c ... in partition 1.
std::string make_log(const std::string& stem, int count) {
  const auto topic = testing::make_topic(stem, 2);
  producer_options o;
  o.kafka = testing::kafka();
  kafka_producer producer(o);
  for (int i = 0; i < count; ++i)
    producer.send(topic, {std::string(1, static_cast<char>('a' + i % 3)), "x", std::nullopt, 1, 0});
  REQUIRE(producer.flush(std::chrono::seconds(60)));
  return topic;
}

history_chunk read(kafka_history& from, std::int64_t at, std::vector<std::string> keys) {
  std::promise<history_chunk> answer;
  from.read(0, shard_id(1), position(at), std::move(keys),
            [&](history_chunk read) { answer.set_value(std::move(read)); });
  return answer.get_future().get();
}

std::vector<ingress_def> one(const std::string& topic) {
  return {{topic, "symbol", [] { return std::make_unique<key_decoder>(); }}};
}

}  // namespace

TEST_CASE("followers get what they missed of the keys that they follow, and of no others") {
  kafka_history history(testing::kafka(), one(make_log("missed", 25'000)));
  std::map<std::string, std::vector<position>> got;
  std::int64_t at = 1;
  while (at < 25'000) {
    const auto chunk = read(history, at, {"a", "c", "silent"});
    REQUIRE(chunk.what == outcome::read);
    CHECK(chunk.from == position(at));
    for (const auto& [key, events] : chunk.events)
      for (std::size_t i = 0; i < events->size(); ++i) got[key].push_back(events->at(i));
    at = chunk.next.value();
  }
  CHECK(at == 25'000);
  REQUIRE(got.size() == 2);
  CHECK(got["a"].size() == 8'333);
  CHECK(got["c"].size() == 8'333);
  for (std::size_t i = 0; i < got["a"].size(); ++i)
    REQUIRE(got["a"][i] == position(3 + 3 * static_cast<std::int64_t>(i)));
  const auto end = read(history, at, {"a"});
  CHECK(end.what == outcome::read);
  CHECK(end.next == position(at));
}

TEST_CASE("what the log has lost, and what is not there, is told") {
  const auto topic = make_log("lost", 90);
  testing::truncate(topic, 1, 40);
  kafka_history history(testing::kafka(), one(topic));
  const auto lost = read(history, 10, {"a"});
  CHECK(lost.what == outcome::truncated);
  CHECK(lost.begin == position(40));
  kafka_history nowhere(testing::kafka(), one("no-such-topic"));
  CHECK(read(nowhere, 0, {"a"}).what == outcome::unavailable);
}
