#include "tests/chaos/egress_reader.hpp"

#include <doctest/doctest.h>
#include <librdkafka/rdkafka.h>

#include <chrono>
#include <memory>
#include <stdexcept>

namespace troupe::test {

namespace {

template <auto Destroy>
struct destroyer {
  template <class T>
  void operator()(T* p) const {
    Destroy(p);
  }
};

std::int64_t sequence_of(const rd_kafka_message_t& m) {
  rd_kafka_headers_t* headers = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  if (rd_kafka_message_headers(&m, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR ||
      rd_kafka_header_get_last(headers, "seq", &value, &size) != RD_KAFKA_RESP_ERR_NO_ERROR)
    throw std::runtime_error("an egress record without a sequence");
  return std::stoll(std::string(static_cast<const char*>(value), size));
}

bridge::kafka_options kafka_of(const cluster_folder& folder) {
  bridge::kafka_options o;
  o.brokers = std::getenv("TROUPE_TEST_BROKERS");
  o.topic_prefix = folder.prefix();
  return o;
}

}  // namespace

void read_egress(const std::string& brokers, const std::string& topic, std::int32_t partition,
                 std::int64_t end, egress_partition& into) {
  if (into.next >= end) return;
  char why[512];
  auto* conf = rd_kafka_conf_new();
  rd_kafka_conf_set(conf, "bootstrap.servers", brokers.c_str(), why, sizeof why);
  rd_kafka_conf_set(conf, "group.id", "reader", why, sizeof why);
  rd_kafka_conf_set(conf, "enable.auto.commit", "false", why, sizeof why);
  rd_kafka_conf_set(conf, "fetch.wait.max.ms", "10", why, sizeof why);
  const std::unique_ptr<rd_kafka_t, destroyer<rd_kafka_destroy>> consumer(
      rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof why));
  if (!consumer) throw std::runtime_error(why);
  {
    const std::unique_ptr<rd_kafka_topic_partition_list_t,
                          destroyer<rd_kafka_topic_partition_list_destroy>>
        list(rd_kafka_topic_partition_list_new(1));
    rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), partition)->offset = into.next;
    rd_kafka_assign(consumer.get(), list.get());
  }
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (into.next < end) {
    if (std::chrono::steady_clock::now() > until) throw std::runtime_error(topic + ": no answer");
    const std::unique_ptr<rd_kafka_message_t, destroyer<rd_kafka_message_destroy>> m(
        rd_kafka_consumer_poll(consumer.get(), 100));
    if (!m || m->err != RD_KAFKA_RESP_ERR_NO_ERROR) continue;
    into.next = m->offset + 1;
    const bool is_next = sequence_of(*m) == static_cast<std::int64_t>(into.taken.size()) + 1;
    auto& to = is_next ? into.taken : into.skipped;
    to.push_back(std::string(static_cast<const char*>(m->key), m->key_len) + ' ' +
                 std::string(static_cast<const char*>(m->payload), m->len));
  }
  rd_kafka_consumer_close(consumer.get());
}

egress_topic::egress_topic(const cluster_folder& folder, std::string name)
    : folder_(folder),
      name_(std::move(name)),
      kafka_(kafka_of(folder)),
      log_(kafka_),
      read_(folder.shards()) {}

void egress_topic::read(const std::function<void(const std::string&, const std::string&)>& each) {
  for (std::uint32_t p = 0; p < read_.size(); ++p) {
    const auto range = log_.range(name_, p, std::chrono::seconds(20));
    if (!range) throw std::runtime_error("no answer about " + name_);
    const auto known = read_[p].taken.size();
    read_egress(kafka_.brokers, kafka_.kafka_name(name_), static_cast<std::int32_t>(p),
                range->end.value(), read_[p]);
    const auto& taken = read_[p].taken;
    CAPTURE(name_);
    CAPTURE(p);
    CHECK(folder_.database().run("select coalesce(max(last), 0) from outbox_sequence where shard "
                                 "= " +
                                 std::to_string(p) + " and target = 'topic:" + name_ + "'") ==
          std::to_string(taken.size()));
    for (auto i = known; i < taken.size(); ++i) {
      const auto space = taken[i].find(' ');
      each(taken[i].substr(0, space), taken[i].substr(space + 1));
    }
  }
}

std::size_t egress_topic::taken() const {
  std::size_t sum = 0;
  for (const auto& part : read_) sum += part.taken.size();
  return sum;
}

std::size_t egress_topic::skipped() const {
  std::size_t sum = 0;
  for (const auto& part : read_) sum += part.skipped.size();
  return sum;
}

}  // namespace troupe::test
