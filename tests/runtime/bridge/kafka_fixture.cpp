#include "tests/runtime/bridge/kafka_fixture.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <random>
#include <stdexcept>
#include <thread>

#include "runtime/bridge/kafka_client.hpp"
#include "runtime/bridge/kafka_producer.hpp"
#include "runtime/bridge/topic_admin.hpp"

namespace troupe::testing {

using namespace bridge;

using namespace std::chrono_literals;

kafka_options kafka() {
  const char* brokers = std::getenv("TROUPE_TEST_BROKERS");
  if (brokers == nullptr)
    throw std::runtime_error("TROUPE_TEST_BROKERS is not set: run the tests with ctest");
  kafka_options o;
  o.brokers = brokers;
  return o;
}

void services(const std::string& action) {
  const char* prefix = std::getenv("TROUPE_TEST_SERVICES");
  if (prefix == nullptr)
    throw std::runtime_error("TROUPE_TEST_SERVICES is not set: run the tests with ctest");
  const auto command = std::string(prefix) + ' ' + action + " kafka >/dev/null";
  if (std::system(command.c_str()) != 0) throw std::runtime_error(command + " failed");
}

std::string unique_name(const std::string& stem) {
  static std::random_device random;
  static int count = 0;
  return stem + '.' + std::to_string(::getpid()) + '.' + std::to_string(random()) + '.' +
         std::to_string(++count);
}

namespace {

void make(const std::string& name, std::uint32_t partitions) {
  topic_admin admin(kafka());
  const auto report = admin.ensure_topics({{name, partitions, 1, {}}}, 60s);
  if (!report.ok()) throw std::runtime_error(report.problems.front());
}

}  // namespace

std::string make_topic(const std::string& stem, std::uint32_t partitions) {
  const auto name = unique_name(stem);
  make(name, partitions);
  return name;
}

void make_anew(const std::string& topic, std::uint32_t partitions) {
  delete_topic(topic);
  rdk::client client(RD_KAFKA_PRODUCER, "look", kafka(), {}, {});
  const auto gone = wait_until([&] {
    const rd_kafka_metadata_t* found = nullptr;
    const auto failed = rd_kafka_metadata(client.get(), 1, nullptr, &found, 10'000);
    const rdk::metadata_ptr all(found);
    return failed == RD_KAFKA_RESP_ERR_NO_ERROR &&
           std::none_of(all->topics, all->topics + all->topic_cnt,
                        [&](const auto& t) { return t.topic == topic; });
  });
  if (!gone) throw std::runtime_error(topic + ": not gone");
  make(topic, partitions);
}

bool wait_until(const std::function<bool()>& holds, std::chrono::seconds most) {
  const auto deadline = std::chrono::steady_clock::now() + most;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(2ms);
  }
  return true;
}

std::vector<seen_record> read_all(const std::string& topic, std::uint32_t partition) {
  rdk::client client(RD_KAFKA_CONSUMER, "oracle", kafka(), {{"fetch.wait.max.ms", "10"}},
                     {{"enable.partition.eof", "true"}, {"auto.offset.reset", "earliest"}});
  const rdk::topic_ptr t(rd_kafka_topic_new(client.get(), topic.c_str(), nullptr));
  const auto number = static_cast<std::int32_t>(partition);
  rd_kafka_consume_start(t.get(), number, RD_KAFKA_OFFSET_BEGINNING);
  std::vector<seen_record> all;
  for (bool end = false; !end;) {
    auto* m = rd_kafka_consume(t.get(), number, 30'000);
    if (m == nullptr) throw std::runtime_error(topic + ": nothing to read within 30 s");
    if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
      end = true;
    } else if (m->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      throw std::runtime_error(topic + ": " + rd_kafka_message_errstr(m));
    } else {
      const auto v = rdk::view_of(*m);
      all.push_back({v.offset, v.timestamp_ms, std::string(v.key), std::string(v.payload),
                     std::string(rdk::header_of(*m, "shard")),
                     std::string(rdk::header_of(*m, "epoch")),
                     std::string(rdk::header_of(*m, "seq"))});
    }
    rd_kafka_message_destroy(m);
  }
  rd_kafka_consume_stop(t.get(), number);
  return all;
}

void fill(const std::string& topic, std::uint32_t partition, int from, int to) {
  producer_options o;
  o.kafka = kafka();
  kafka_producer producer(o);
  for (int i = from; i < to; ++i) {
    const auto payload = std::to_string(i);
    if (producer.send(topic, {"", payload, std::nullopt, partition, 0}) !=
        kafka_producer::result::sent)
      throw std::runtime_error(topic + ": " + producer.figures().last_error);
  }
  if (!producer.flush(60s) || producer.figures().failed != 0)
    throw std::runtime_error(topic + ": not filled");
}

void fill_in_transaction(const std::string& topic, std::uint32_t partition, int from, int to) {
  rdk::client client(RD_KAFKA_PRODUCER, "transaction", kafka(), {},
                     {{"transactional.id", unique_name("transaction")}});
  const auto need = [&](rd_kafka_error_t* failed) {
    const rdk::error_ptr owned(failed);
    if (owned) throw std::runtime_error(topic + ": " + rd_kafka_error_string(owned.get()));
  };
  need(rd_kafka_init_transactions(client.get(), 60'000));
  need(rd_kafka_begin_transaction(client.get()));
  for (int i = from; i < to; ++i) {
    auto payload = std::to_string(i);
    if (rd_kafka_producev(client.get(), RD_KAFKA_V_TOPIC(topic.c_str()),
                          RD_KAFKA_V_PARTITION(static_cast<std::int32_t>(partition)),
                          RD_KAFKA_V_VALUE(payload.data(), payload.size()),
                          RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                          RD_KAFKA_V_END) != RD_KAFKA_RESP_ERR_NO_ERROR)
      throw std::runtime_error(topic + ": not filled");
  }
  need(rd_kafka_commit_transaction(client.get(), 60'000));
}

void truncate(const std::string& topic, std::uint32_t partition, std::int64_t offset) {
  rdk::client client(RD_KAFKA_PRODUCER, "truncate", kafka(), {}, {});
  const auto list = rdk::one_partition(topic, partition, offset);
  auto* request = rd_kafka_DeleteRecords_new(list.get());
  const rdk::queue_ptr queue(rd_kafka_queue_new(client.get()));
  rd_kafka_DeleteRecords(client.get(), &request, 1, nullptr, queue.get());
  const rdk::event_ptr event(rd_kafka_queue_poll(queue.get(), 30'000));
  rd_kafka_DeleteRecords_destroy(request);
  if (!event || rd_kafka_event_error(event.get()) != RD_KAFKA_RESP_ERR_NO_ERROR)
    throw std::runtime_error(topic + ": not truncated");
}

void delete_topic(const std::string& topic) {
  rdk::client client(RD_KAFKA_PRODUCER, "delete", kafka(), {}, {});
  auto* request = rd_kafka_DeleteTopic_new(topic.c_str());
  const rdk::queue_ptr queue(rd_kafka_queue_new(client.get()));
  rd_kafka_DeleteTopics(client.get(), &request, 1, nullptr, queue.get());
  const rdk::event_ptr event(rd_kafka_queue_poll(queue.get(), 30'000));
  rd_kafka_DeleteTopic_destroy(request);
  if (!event || rd_kafka_event_error(event.get()) != RD_KAFKA_RESP_ERR_NO_ERROR)
    throw std::runtime_error(topic + ": not deleted");
}

}  // namespace troupe::testing
