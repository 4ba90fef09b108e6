#include "tests/chaos/listener_group.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

namespace troupe::test {

using namespace std::chrono_literals;
using nlohmann::json;

namespace {

constexpr int listeners = 12, each_follows = 5;

std::string name_of(int listener) {
  return "ear-" + std::to_string(listener);
}

}  // namespace

listener_group::listener_group(const market_run& run)
    : run_(run), topic_(run.folder(), "listened") {}

std::vector<std::string> listener_group::followed_by(int listener) const {
  std::vector<std::string> all;
  for (int i = 0; i < each_follows; ++i)
    all.push_back(market_run::symbol((listener + 2 * i) % run_.symbols()));
  return all;
}

void listener_group::listen() {
  bridge::producer_options options;
  options.kafka.brokers = std::getenv("TROUPE_TEST_BROKERS");
  options.kafka.topic_prefix = run_.folder().prefix();
  bridge::kafka_producer producer(options);
  for (int n = 0; n < listeners; ++n) {
    const json command{{"to", "listener/" + name_of(n)},
                       {"type", "listen"},
                       {"body", {{"symbols", followed_by(n)}}}};
    producer.send("listener.commands", {name_of(n), command.dump(), std::nullopt, std::nullopt});
  }
  if (!producer.flush(60s) || producer.figures().failed > 0)
    throw std::runtime_error("the listeners' commands were not taken");
}

bool listener_group::heard_all() const {
  std::int64_t events = 0;
  for (int n = 0; n < listeners; ++n)
    for (const auto& symbol : followed_by(n)) events += run_.usable().at(symbol).events;
  return run_.folder().database().run(
             "select coalesce(sum((h.value->>'events')::int8), 0) from entity e, "
             "json_each(e.state) h where e.kind = 'listener'") == std::to_string(events);
}

void listener_group::check() {
  topic_.read([&](const std::string& key, const std::string& payload) {
    const auto record = json::parse(payload);
    auto& n = records_[key + ' ' + record["symbol"].get<std::string>()];
    CHECK(record["trades"] == ++n * 100);
  });
  const auto states = json::parse(run_.folder().database().run(
      "select json_object_agg(key, state) from entity where kind = 'listener'"));
  for (int n = 0; n < listeners; ++n)
    for (const auto& symbol : followed_by(n)) {
      CAPTURE(name_of(n));
      CAPTURE(symbol);
      const auto& heard = states.at(name_of(n)).at(symbol);
      const auto& sent = run_.usable().at(symbol);
      CHECK(heard["events"] == sent.events);
      CHECK(heard["trades"] == sent.trades);
      CHECK(heard["sum"] == sent.size * 100'000'000);
      CHECK(heard["missing"] == 0);
      CHECK(records_[name_of(n) + ' ' + symbol] == sent.trades / 100);
    }
}

}  // namespace troupe::test
