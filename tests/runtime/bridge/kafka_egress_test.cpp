#include "runtime/bridge/kafka_egress.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>

#include "runtime/bridge/kafka_producer.hpp"
#include "runtime/bridge/topic_admin.hpp"
#include "tests/runtime/bridge/egress_host.hpp"
#include "tests/runtime/bridge/kafka_fixture.hpp"

using namespace troupe;
using namespace troupe::bridge;
using namespace std::chrono_literals;
using testing::egress_host;

namespace {

egress_options options() {
  egress_options o;
  o.kafka = testing::kafka();
  return o;
}

/// 1, 2, 3 ... `last`, nothing else, all of this shard.
void check_complete(const std::string& topic, std::uint32_t partition, std::int64_t last) {
  const auto records = testing::read_all(topic, partition);
  REQUIRE(records.size() == static_cast<std::size_t>(last));
  for (std::size_t i = 0; i < records.size(); ++i) {
    const auto number = std::to_string(i + 1);
    REQUIRE(records[i].seq == number);
    REQUIRE(records[i].payload == "row " + number);
    REQUIRE(records[i].key == "key");
    REQUIRE(records[i].shard == std::to_string(partition));
  }
}

}  // namespace

TEST_CASE(
    "a new partition holds nothing; then shard i writes partition i, in order, with its headers") {
  const auto a = testing::make_topic("egress-a", 4), b = testing::make_topic("egress-b", 4);
  kafka_egress egress(options());
  std::vector<std::unique_ptr<egress_host>> hosts;
  for (std::uint32_t s = 0; s < 4; ++s) {
    hosts.push_back(std::make_unique<egress_host>(egress, shard_id(s), std::vector{a, b}));
    hosts.back()->open(epoch(5));
  }
  for (auto& h : hosts) {
    REQUIRE(testing::wait_until([&] { return h->is_open(); }));
    CHECK(h->found() == std::map<std::string, sequence>{{a, sequence(0)}, {b, sequence(0)}});
  }
  for (int i = 0; i < 2'000; ++i)
    for (auto& h : hosts) h->add(i % 3 == 0 ? b : a);
  for (auto& h : hosts) {
    REQUIRE(testing::wait_until([&] { return h->all_delivered(); }));
    CHECK(h->losses == 0);
    CHECK_FALSE(h->went_back);
  }
  for (std::uint32_t s = 0; s < 4; ++s) {
    check_complete(a, s, 1'333);
    check_complete(b, s, 667);
  }
  CHECK(testing::read_all(a, 2).front().epoch == "5");
}

TEST_CASE("whoever opens next goes on after the last sequence that is out") {
  const auto topic = testing::make_topic("egress-next", 2);
  {
    kafka_egress first(options());
    egress_host host(first, shard_id(1), {topic});
    host.open(epoch(1));
    for (int i = 0; i < 1'000; ++i) host.add(topic);
    REQUIRE(testing::wait_until([&] { return host.all_delivered(); }));
  }
  kafka_egress second(options());
  egress_host host(second, shard_id(1), {topic});
  host.open(epoch(2));
  REQUIRE(testing::wait_until([&] { return host.is_open(); }));
  CHECK(host.found()[topic] == sequence(1'000));
}

TEST_CASE("opening again right after publishing much doubles nothing and loses nothing") {
  const auto topic = testing::make_topic("egress-again", 1);
  kafka_egress egress(options());
  egress_host host(egress, shard_id(0), {topic});
  host.open(epoch(1));
  for (int round = 0; round < 20; ++round) {
    for (int i = 0; i < 500; ++i) host.add(topic);
    host.open(epoch(1 + round / 5));
  }
  REQUIRE(testing::wait_until([&] { return host.all_delivered(); }));
  check_complete(topic, 0, 10'000);
  CHECK(host.losses == 0);
}

TEST_CASE("opening waits for what is in flight") {
  const auto topic = testing::make_topic("egress-flight", 1);
  auto o = options();
  o.linger = 500ms;  // Records stay with the client for longer than a tail takes to read.
  kafka_egress egress(o);
  egress_host host(egress, shard_id(0), {topic});
  host.open(epoch(1));
  REQUIRE(testing::wait_until([&] { return host.is_open(); }));
  for (int i = 0; i < 100; ++i) host.add(topic);
  host.open(epoch(2));
  REQUIRE(testing::wait_until([&] { return host.openings == 2; }));
  CHECK(host.found()[topic] == sequence(100));
  check_complete(topic, 0, 100);
}

TEST_CASE("when the broker refuses a record, nothing after it counts as delivered") {
  const auto topic = testing::unique_name("egress-refused");
  topic_admin admin(testing::kafka());
  REQUIRE(admin.ensure_topics({{topic, 1, 1, {{"max.message.bytes", "2000"}}}}, 60s).ok());
  auto o = options();
  o.compression = "none";
  o.kafka.settings = {{"batch.num.messages", "1"}};
  kafka_egress egress(o);
  std::atomic<std::int64_t> delivered = 0, found = -1;
  std::atomic<int> lost = 0;
  const egress_port::listener to{[&](const std::string&, sequence s) { delivered = s.value(); },
                                 [&](auto...) { ++lost; },
                                 [&](auto out) { found = out[topic].value(); }};
  const auto publish = [&](std::int64_t from, std::int64_t large) {
    for (std::int64_t s = from; s <= 40; ++s)
      egress.publish(shard_id(0), epoch(1), topic, sequence(s), "key",
                     s == large ? std::string(5'000, 'x') : "row " + std::to_string(s));
  };
  egress.open(shard_id(0), epoch(1), {topic}, to);
  REQUIRE(testing::wait_until([&] { return found == 0; }));
  publish(1, 11);
  REQUIRE(testing::wait_until([&] { return lost == 1; }));
  // All but the large one are in the log by then.
  REQUIRE(testing::wait_until([&] { return admin.range(topic, 0, 5s)->end == position(39); }));
  found = -1;
  egress.open(shard_id(0), epoch(1), {topic}, to);
  REQUIRE(testing::wait_until([&] { return found >= 0; }));
  CHECK(found == 10);
  CHECK(delivered == 10);
  publish(11, 0);
  REQUIRE(testing::wait_until([&] { return delivered == 40; }));
  CHECK(lost == 1);
  // A reader that takes a record only when its sequence is the next sees all of them once.
  std::int64_t accepted = 0;
  const auto log = testing::read_all(topic, 0);
  for (const auto& r : log)
    if (r.seq == std::to_string(accepted + 1)) ++accepted;
  CHECK(accepted == 40);
  MESSAGE("records in the log: " << log.size());
}

TEST_CASE("foreign records at the end do not hide the last sequence") {
  const auto topic = testing::make_topic("egress-foreign", 1);
  kafka_egress egress(options());
  egress_host host(egress, shard_id(0), {topic});
  host.open(epoch(1));
  for (int i = 0; i < 700; ++i) host.add(topic);
  REQUIRE(testing::wait_until([&] { return host.all_delivered(); }));
  testing::fill(topic, 0, 0, 3'000);
  host.open(epoch(2));
  REQUIRE(testing::wait_until([&] { return host.openings == 2; }));
  CHECK(host.found()[topic] == sequence(700));
}

TEST_CASE("successors of a failed record, left in the log, are not out") {
  const auto topic = testing::make_topic("egress-gap", 1);
  kafka_egress egress(options());
  egress_port::listener ignore{[](auto...) {}, [](auto...) {}, [](auto...) {}};
  std::atomic<bool> open = false;
  std::atomic<std::int64_t> delivered = 0, last_open = -1;
  const egress_port::listener to{[&](const std::string&, sequence s) { delivered = s.value(); },
                                 [](auto...) {},
                                 [&](auto out) {
                                   last_open = out[topic].value();
                                   open = true;
                                 }};
  egress.open(shard_id(0), epoch(1), {topic}, to);
  REQUIRE(testing::wait_until([&] { return open.load(); }));
  for (std::int64_t s : {1, 2, 3, 5, 6})
    egress.publish(shard_id(0), epoch(1), topic, sequence(s), "k", "v");
  REQUIRE(testing::wait_until([&] { return delivered == 6; }));
  open = false;
  egress.open(shard_id(0), epoch(2), {topic}, to);
  REQUIRE(testing::wait_until([&] { return open.load(); }));
  CHECK(last_open == 3);
}

TEST_CASE("what does not belong to the opening is dropped") {
  const auto topic = testing::make_topic("egress-stale", 1);
  kafka_egress egress(options());
  egress_host host(egress, shard_id(0), {topic});
  host.open(epoch(4));
  REQUIRE(testing::wait_until([&] { return host.is_open(); }));
  egress.publish(shard_id(0), epoch(3), topic, sequence(1), "key", "of an old epoch");
  egress.publish(shard_id(9), epoch(4), topic, sequence(1), "key", "of a shard that is not open");
  host.add(topic);
  REQUIRE(testing::wait_until([&] { return host.all_delivered(); }));
  check_complete(topic, 0, 1);
}

TEST_CASE("without a lease nothing goes out; lost is said once") {
  const auto topic = testing::make_topic("egress-lease", 1);
  auto o = options();
  auto lease = std::make_shared<std::atomic<bool>>(true);
  o.lease_valid = [lease] { return lease->load(); };
  kafka_egress egress(o);
  egress_host host(egress, shard_id(0), {topic});
  host.reopen = false;
  host.open(epoch(1));
  REQUIRE(testing::wait_until([&] { return host.is_open(); }));
  for (int i = 0; i < 10; ++i) host.add(topic);
  REQUIRE(testing::wait_until([&] { return host.all_delivered(); }));
  *lease = false;
  for (int i = 0; i < 10; ++i) host.add(topic);
  REQUIRE(testing::wait_until([&] { return host.losses == 1; }));
  CHECK(host.last_reason() == "lease_not_valid");
  *lease = true;
  host.open(epoch(1));
  REQUIRE(testing::wait_until([&] { return host.all_delivered(); }));
  check_complete(topic, 0, 20);
  CHECK(host.losses == 1);
}

TEST_CASE("a record that no broker takes is lost, with the reason, and does not spin") {
  const auto topic = testing::make_topic("egress-large", 1);
  kafka_egress egress(options());
  std::atomic<int> lost = 0, opened = 0;
  std::string reason;
  const std::string large(3'000'000, 'x');
  egress_port::listener to;
  const auto open = [&] { egress.open(shard_id(0), epoch(1), {topic}, to); };
  to = {[](auto...) {},
        [&](const std::string&, const std::string& why) {
          reason = why;
          ++lost;
          open();
        },
        [&](auto) {
          ++opened;
          egress.publish(shard_id(0), epoch(1), topic, sequence(1), "k", large);
        }};
  const auto begun = std::chrono::steady_clock::now();
  open();
  REQUIRE(testing::wait_until([&] { return lost == 5; }));
  egress.close(shard_id(0));
  // 100 + 200 + 400 + 800 ms between the five.
  CHECK(std::chrono::steady_clock::now() - begun > 1'400ms);
  CHECK(reason == "MSG_SIZE_TOO_LARGE");
}

TEST_CASE("what a full lane turns away comes after the next opening; what it has goes out before") {
  const auto topic = testing::make_topic("egress-full", 1);
  auto o = options();
  o.lane_inflight_max = 4;
  o.lane_queue_max = 50;
  o.linger = 20ms;
  kafka_egress egress(o);
  egress_host host(egress, shard_id(0), {topic});
  host.open(epoch(1));
  REQUIRE(testing::wait_until([&] { return host.is_open(); }));
  host.reopen = false;
  for (int i = 0; i < 100; ++i) host.add(topic);
  REQUIRE(testing::wait_until([&] { return host.losses == 1; }));
  CHECK(host.last_reason() == "queue_full");
  CHECK(host.delivered(topic) >= 50);
  CHECK(host.delivered(topic) < 100);
  host.reopen = true;
  host.open(epoch(1));
  REQUIRE(testing::wait_until([&] { return host.all_delivered(); }));
  check_complete(topic, 0, 100);
}

TEST_CASE("closing while opening answers nobody") {
  const auto topic = testing::make_topic("egress-close", 8);
  kafka_egress egress(options());
  for (int round = 0; round < 20; ++round) {
    std::vector<std::unique_ptr<egress_host>> hosts;
    for (std::uint32_t s = 0; s < 8; ++s) {
      hosts.push_back(std::make_unique<egress_host>(egress, shard_id(s), std::vector{topic}));
      hosts.back()->open(epoch(round));
    }
    if (round % 2 == 0) REQUIRE(testing::wait_until([&] { return hosts[3]->is_open(); }));
    for (std::uint32_t s = 0; s < 8; ++s) egress.close(shard_id(s));
  }
  egress_host host(egress, shard_id(3), {topic});
  host.open(epoch(99));
  REQUIRE(testing::wait_until([&] { return host.is_open(); }));
}
