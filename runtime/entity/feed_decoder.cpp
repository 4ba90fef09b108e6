#include "runtime/entity/feed_decoder.hpp"

namespace troupe {

namespace {

class gathering_sink final : public decoder_sink {
 public:
  explicit gathering_sink(std::vector<history_chunk::of_key>& to) : to_(to) {}
  void deliver(std::string_view key, event_batch_ptr events) override {
    to_.push_back({std::string(key), std::move(events)});
  }
  void deliver(const record_view&, entity_id, message, std::string) override {}
  void refuse(const record_view&, std::string_view, std::string_view) override {}

 private:
  std::vector<history_chunk::of_key>& to_;
};

}  // namespace

std::vector<history_chunk::of_key> feed_decoder::decode(std::uint32_t topic,
                                                        std::span<const record_view> records) {
  std::vector<history_chunk::of_key> found;
  if (records.empty()) return found;
  if (decoders_.size() <= topic) decoders_.resize(topic + 1);
  auto& d = decoders_[topic];
  if (!d) d = decoder_of(topics_[topic]);
  gathering_sink sink(found);
  d->decode(records, sink);
  return found;
}

std::optional<std::uint32_t> feed_decoder::topic_of(const std::vector<ingress_def>& topics,
                                                    std::string_view kind) {
  for (std::uint32_t i = 0; i < topics.size(); ++i)
    if (topics[i].kind == kind) return i;
  return std::nullopt;
}

}  // namespace troupe
