#include "runtime/bridge/partition_inspector.hpp"

#include <span>

namespace troupe::bridge {

namespace {

constexpr int answer_ms_max = 1'000;

bool means_unknown(rd_kafka_resp_err_t error) {
  return error == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
         error == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION || error == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC;
}

}  // namespace

partition_inspector::partition_inspector(std::shared_ptr<rdk::client> client)
    : client_(std::move(client)) {}

void partition_inspector::find_range(std::string topic, std::uint32_t partition, on_range answer) {
  asker_.post([this, topic = std::move(topic), partition, answer = std::move(answer)] {
    range found;
    const auto failed = rd_kafka_query_watermark_offsets(client_->get(), topic.c_str(),
                                                         static_cast<std::int32_t>(partition),
                                                         &found.low, &found.high, answer_ms_max);
    answer(failed == RD_KAFKA_RESP_ERR_NO_ERROR ? std::optional(found) : std::nullopt);
  });
}

void partition_inspector::count_partitions(std::string topic, on_count answer) {
  asker_.post([this, topic = std::move(topic), answer = std::move(answer)] {
    const rdk::topic_ptr handle(rd_kafka_topic_new(client_->get(), topic.c_str(), nullptr));
    const rd_kafka_metadata_t* found = nullptr;
    const auto failed = rd_kafka_metadata(client_->get(), 0, handle.get(), &found, answer_ms_max);
    const rdk::metadata_ptr metadata(found);
    if (failed != RD_KAFKA_RESP_ERR_NO_ERROR || metadata->topic_cnt != 1)
      return answer(std::nullopt);
    const auto& t = metadata->topics[0];
    if (t.err == RD_KAFKA_RESP_ERR_NO_ERROR)
      return answer(static_cast<std::uint32_t>(t.partition_cnt));
    answer(t.err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ? std::optional<std::uint32_t>(0)
                                                            : std::nullopt);
  });
}

void partition_inspector::find_ends(rdk::partitions_ptr partitions, on_ends answer) {
  asker_.post([this, list = std::shared_ptr(std::move(partitions)), answer = std::move(answer)] {
    const auto failed = rd_kafka_offsets_for_times(client_->get(), list.get(), answer_ms_max);
    std::vector<std::int64_t> ends;
    if (failed == RD_KAFKA_RESP_ERR_NO_ERROR || means_unknown(failed))
      for (const auto& p : std::span(list->elems, static_cast<std::size_t>(list->cnt)))
        ends.push_back(p.err == RD_KAFKA_RESP_ERR_NO_ERROR ? p.offset : -1);
    answer(std::move(ends));
  });
}

void partition_inspector::nudge(rdk::partitions_ptr partitions) {
  asker_.post([this, list = std::shared_ptr(std::move(partitions))] {
    rd_kafka_offsets_for_times(client_->get(), list.get(), answer_ms_max);
  });
}

}  // namespace troupe::bridge
