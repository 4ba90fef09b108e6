#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <thread>

#include "runtime/bridge/kafka_ingress.hpp"
#include "tests/runtime/bridge/egress_host.hpp"
#include "tests/runtime/bridge/kafka_fixture.hpp"

using namespace troupe;
using namespace troupe::bridge;
using namespace std::chrono_literals;
using testing::egress_host;

namespace {

constexpr std::uint32_t shards = 8;

/// Shards that publish all the time, and a consumer of what they publish, while the broker goes
/// away and comes back.
class outage {
 public:
  explicit outage(std::chrono::milliseconds message_timeout)
      : topic_(testing::make_topic("outage", shards)),
        egress_(egress(message_timeout)),
        ingress_(ingress(topic_)) {
    for (std::uint32_t s = 0; s < shards; ++s) {
      hosts_.push_back(std::make_unique<egress_host>(egress_, shard_id(s), std::vector{topic_}));
      hosts_.back()->open(epoch(1));
      ingress_.assign(shard_id(s), 1, {{0, position(0)}},
                      {[this, s](record_batch_ptr b) {
                         for (const auto& r : b->records) {
                           if (r.payload != "row " + std::to_string(++seen_[s])) wrong_ = true;
                         }
                       },
                       [this](auto...) { wrong_ = true; }, [](auto...) {}});
    }
    writer_ = std::thread([this] {
      while (!stop_) {
        for (auto& h : hosts_) h->add(topic_);
        std::this_thread::sleep_for(1ms);
      }
    });
  }
  ~outage() {
    if (writer_.joinable()) finish_writing();
  }

  bool goes_on() {
    std::vector<std::int64_t> goals;
    for (auto& h : hosts_) goals.push_back(h->delivered(topic_) + 100);
    return testing::wait_until(
        [&] {
          for (std::uint32_t s = 0; s < shards; ++s)
            if (hosts_[s]->delivered(topic_) < goals[s] || seen_[s] < goals[s]) return false;
          return true;
        },
        120s);
  }
  /// Once what was under way has arrived, nothing more is delivered for `time`.
  bool stands_still_for(std::chrono::seconds time) {
    auto last = hosts_[0]->delivered(topic_);
    auto since = std::chrono::steady_clock::now();
    return testing::wait_until(
        [&] {
          const auto now = std::chrono::steady_clock::now();
          if (const auto seen = hosts_[0]->delivered(topic_); seen != last) {
            last = seen;
            since = now;
          }
          return now - since >= time;
        },
        time + 10s);
  }
  int losses() const {
    int n = 0;
    for (const auto& h : hosts_) n += h->losses;
    return n;
  }

  /// Everything that was ever added is in the log once, in order, and the consumer has seen exactly
  /// that.
  void check() {
    finish_writing();
    REQUIRE(testing::wait_until(
        [&] { return std::ranges::all_of(hosts_, [](auto& h) { return h->all_delivered(); }); },
        120s));
    for (std::uint32_t s = 0; s < shards; ++s) {
      CAPTURE(s);
      const auto rows = hosts_[s]->rows(topic_);
      REQUIRE(testing::wait_until([&] { return seen_[s] == rows; }));
      const auto records = testing::read_all(topic_, s);
      REQUIRE(records.size() == static_cast<std::size_t>(rows));
      for (std::size_t i = 0; i < records.size(); ++i)
        REQUIRE(records[i].seq == std::to_string(i + 1));
    }
    CHECK_FALSE(wrong_);
  }

 private:
  static egress_options egress(std::chrono::milliseconds message_timeout) {
    egress_options o;
    o.kafka = testing::kafka();
    o.message_timeout = message_timeout;
    return o;
  }
  static ingress_options ingress(const std::string& topic) {
    ingress_options o;
    o.kafka = testing::kafka();
    o.topics = {topic};
    return o;
  }
  void finish_writing() {
    stop_ = true;
    writer_.join();
  }

  const std::string topic_;
  kafka_egress egress_;
  std::vector<std::unique_ptr<egress_host>> hosts_;
  std::array<std::atomic<std::int64_t>, shards> seen_{};
  std::atomic<bool> stop_ = false, wrong_ = false;
  kafka_ingress ingress_;
  std::thread writer_;
};

}  // namespace

TEST_CASE(
    "a broker that is away for longer than a record's time: shards reopen, nothing is doubled or "
    "missing") {
  outage o(5'000ms);
  REQUIRE(o.goes_on());
  testing::services("stop");
  CHECK(o.stands_still_for(20s));
  testing::services("start");
  REQUIRE(o.goes_on());
  CHECK(o.losses() >= static_cast<int>(shards));
  o.check();
}

TEST_CASE("a broker that is killed and comes back within a record's time") {
  outage o(120'000ms);
  for (int round = 0; round < 2; ++round) {
    REQUIRE(o.goes_on());
    testing::services("kill");
    testing::services("start");
    REQUIRE(o.goes_on());
  }
  o.check();
}

TEST_CASE("a broker that is killed and stays away longer than a record's time") {
  outage o(1'500ms);
  for (int round = 0; round < 2; ++round) {
    REQUIRE(o.goes_on());
    testing::services("kill");
    CHECK(o.stands_still_for(3s));
    testing::services("start");
    REQUIRE(o.goes_on());
  }
  CHECK(o.losses() >= static_cast<int>(shards));
  o.check();
}

TEST_CASE("shards that open while no broker is there open when one is") {
  const auto topic = testing::make_topic("outage-open", 2);
  {
    egress_options options;
    options.kafka = testing::kafka();
    kafka_egress egress(options);
    egress_host host(egress, shard_id(1), {topic});
    host.open(epoch(1));
    for (int i = 0; i < 300; ++i) host.add(topic);
    REQUIRE(testing::wait_until([&] { return host.all_delivered(); }));
  }
  testing::services("stop");
  egress_options options;
  options.kafka = testing::kafka();
  kafka_egress egress(options);
  egress_host host(egress, shard_id(1), {topic});
  host.open(epoch(2));
  ingress_options in;
  in.kafka = testing::kafka();
  in.topics = {topic};
  std::atomic<int> seen = 0;
  kafka_ingress ingress(in);
  ingress.assign(shard_id(1), 1, {{0, position(0)}},
                 {[&](record_batch_ptr b) { seen += static_cast<int>(b->records.size()); },
                  [](auto...) {}, [](auto...) {}});
  testing::services("start");
  REQUIRE(testing::wait_until([&] { return host.is_open(); }, 120s));
  CHECK(host.found()[topic] == sequence(300));
  REQUIRE(testing::wait_until([&] { return seen == 300; }));
}
