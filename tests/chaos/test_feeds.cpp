// Listeners on three nodes follow symbols on all of them. Whatever dies: what they have heard in
// the end is what the topic holds.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <random>

#include "runtime/bridge/history_reader.hpp"
#include "runtime/bridge/kafka_producer.hpp"
#include "tests/chaos/egress_reader.hpp"
#include "tests/chaos/market_run.hpp"

using namespace troupe;
using namespace troupe::test;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

constexpr market_run::records amount{12, 4000, 3};
constexpr int listeners = 12, each_follows = 5;

std::uint64_t other_seed() {
  const char* text = std::getenv("TROUPE_CHAOS_SEED");
  return text == nullptr ? 0 : std::stoull(text) * 1000;
}

struct told {
  std::int64_t events = 0, trades = 0, sum = 0;
  bool operator==(const told&) const = default;
};

std::string symbol(int n) {
  return "SYM" + std::to_string(n % amount.symbols);
}

class listening_cluster {
 public:
  explicit listening_cluster(std::uint64_t seed)
      : random(seed + other_seed()), run(amount, {LISTENING_NODE}) {
    kafka_.brokers = std::getenv("TROUPE_TEST_BROKERS");
    kafka_.topic_prefix = run.folder().prefix();
  }

  void check(const std::function<void(double)>& fault) {
    bool listening = false;
    run.play(
        [&](double part) {
          if (!std::exchange(listening, true)) listen();
          fault(part);
        },
        240s);
    const auto truth = read_topic();
    wait_until("the last events", 120s, [&] { return heard_events() == expected_events(truth); });
    compare(truth);
  }

  std::string sql(const std::string& query) const { return run.folder().database().run(query); }

  std::mt19937_64 random;
  market_run run;

 private:
  void listen() {
    bridge::producer_options options;
    options.kafka = kafka_;
    bridge::kafka_producer producer(options);
    for (int n = 0; n < listeners; ++n) {
      auto symbols = json::array();
      for (int i = 0; i < each_follows; ++i) symbols.push_back(symbol(n + 2 * i));
      const auto to = "ear-" + std::to_string(n);
      producer.send(
          "listener.commands",
          {to,
           json{{"to", "listener/" + to}, {"type", "listen"}, {"body", {{"symbols", symbols}}}}
               .dump(),
           std::nullopt, std::nullopt});
    }
    REQUIRE(producer.flush(60s));
  }

  /// What the topic holds of each symbol, read by other means than a node's.
  std::map<std::string, told> read_topic() {
    std::map<std::string, told> all;
    bridge::history_reader log(kafka_);
    for (std::uint32_t p = 0; p < run.folder().shards(); ++p) {
      const auto range = log.range("market", p, 10s);
      REQUIRE(range.has_value());
      for (auto at = range->begin; at < range->end;) {
        const auto batch = log.read("market", p, at, {});
        for (const auto& r : batch.records) add(json::parse(r.payload), all[std::string(r.key)]);
        REQUIRE(batch.next > at);
        at = batch.next;
      }
    }
    return all;
  }

  static void add(const json& record, told& to) {
    if (record.contains("price") && record["price"] == "-1") return;  // Refused.
    ++to.events;
    if (record["type"] != "trade") return;
    ++to.trades;
    to.sum += std::stoll(record["size"].get<std::string>()) * 100'000'000;
  }

  std::int64_t heard_events() const {
    return std::stoll(
        sql("select coalesce(sum((h.value->>'events')::int8), 0) from entity e, "
            "json_each(e.state) h where e.kind = 'listener'"));
  }
  static std::int64_t expected_events(const std::map<std::string, told>& truth) {
    std::int64_t sum = 0;
    for (int n = 0; n < listeners; ++n)
      for (int i = 0; i < each_follows; ++i) sum += truth.at(symbol(n + 2 * i)).events;
    return sum;
  }

  void compare(const std::map<std::string, told>& truth) {
    const auto states =
        json::parse(sql("select json_object_agg(key, state) from entity where kind = 'listener'"));
    std::map<std::string, std::int64_t> records;
    REQUIRE(states.size() == listeners);
    for (const auto& [ear, state] : states.items())
      for (const auto& [name, h] : state.items()) {
        CAPTURE(ear);
        CAPTURE(name);
        const told got{h["events"], h["trades"], h["sum"]};
        CHECK(got.events == truth.at(name).events);
        CHECK(got.trades == truth.at(name).trades);
        CHECK(got.sum == truth.at(name).sum);
        CHECK(h["missing"] == 0);
        records[ear + ' ' + name] = got.trades / 100;
      }
    wait_until("all records", 60s, [&] { return sql("select count(*) from outbox") == "0"; });
    CHECK((read_records() == records));
  }

  /// How many records of each listener and symbol are out, each the next hundred.
  std::map<std::string, std::int64_t> read_records() {
    std::map<std::string, std::int64_t> count;
    bridge::history_reader log(kafka_);
    for (std::uint32_t p = 0; p < run.folder().shards(); ++p) {
      const auto range = log.range("listened", p, 10s);
      REQUIRE(range.has_value());
      const auto read =
          read_egress(kafka_.brokers, kafka_.kafka_name("listened"), static_cast<std::int32_t>(p),
                      range->begin.value(), range->end.value());
      for (const auto& line : read.taken) {
        const auto space = line.find(' ');
        const auto record = json::parse(line.substr(space + 1));
        auto& n = count[line.substr(0, space) + ' ' + record["symbol"].get<std::string>()];
        CHECK(record["trades"] == ++n * 100);
      }
    }
    return count;
  }

  bridge::kafka_options kafka_;
};

}  // namespace

TEST_CASE("listeners hear all of the symbols of all nodes") {
  listening_cluster cluster(1);
  cluster.check([](double) {});
}

TEST_CASE("kill -9 of any node under load: nobody hears anything twice or misses it") {
  listening_cluster cluster(20131008);
  int kills = 0;
  cluster.check([&](double) {
    if (cluster.random() % 3 == 0) return;
    const int victim = 1 + static_cast<int>(cluster.random() % amount.nodes);
    cluster.run.node(victim).kill();
    ++kills;
    if (cluster.random() % 2 == 0)
      wait_until("other owners", 30s, [&] {
        return cluster.sql("select count(*) from shard where owner = 'node-" +
                           std::to_string(victim) + "'") == "0";
      });
    cluster.run.node(victim).start();
  });
  CHECK(kills >= 10);
}
