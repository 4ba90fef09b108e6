#include "runtime/bridge/kafka_history.hpp"

#include <algorithm>

#include "runtime/base/log.hpp"

namespace troupe::bridge {

struct kafka_history::worker {
  explicit worker(const std::vector<ingress_def>& topics) : decoder(topics) {}
  feed_decoder decoder;
  job_thread thread;
};

kafka_history::kafka_history(const kafka_options& options, std::vector<ingress_def> topics,
                             std::size_t threads)
    : topics_(std::move(topics)), reader_(options) {
  for (std::size_t i = 0; i < threads; ++i) workers_.push_back(std::make_unique<worker>(topics_));
}

kafka_history::~kafka_history() {
  stopping_ = true;
}

void kafka_history::read(std::uint32_t topic, shard_id partition, position from,
                         std::vector<std::string> keys, std::function<void(history_chunk)> done) {
  auto& w = *workers_[partition.value() % workers_.size()];
  w.thread.post([this, &w, topic, partition, from, keys = std::move(keys), done = std::move(done)] {
    if (!stopping_) done(read_now(w.decoder, topic, partition, from, keys));
  });
}

/// `keys` are in order.
history_chunk kafka_history::read_now(feed_decoder& decoder, std::uint32_t topic,
                                      shard_id partition, position from,
                                      const std::vector<std::string>& keys) {
  constexpr history_limits limits{10'000, 2U << 20, std::chrono::milliseconds(1'000)};
  const auto& name = topics_[topic].topic;
  auto batch = reader_.read(name, partition.value(), from, limits);
  history_chunk chunk{history_chunk::outcome::read, from, batch.next, batch.begin, {}};
  using enum history_batch::outcome;
  if (batch.what == truncated) {
    chunk.what = history_chunk::outcome::truncated;
  } else if (batch.what != history_batch::outcome::read) {
    log::debug(
        "bridge", "history_unavailable",
        {{"topic", name}, {"partition", partition}, {"from", from}, {"reason", batch.reason}});
    chunk.what = history_chunk::outcome::unavailable;
  }
  if (chunk.what != history_chunk::outcome::read) return chunk;
  std::erase_if(batch.records, [&](const record_view& r) {
    return !std::binary_search(keys.begin(), keys.end(), r.key);
  });
  chunk.events = decoder.decode(topic, batch.records);
  return chunk;
}

}  // namespace troupe::bridge
