#include "runtime/entity/ingress.hpp"

#include <algorithm>

#include "runtime/base/partition.hpp"

namespace troupe {

namespace {

class checked_decoder final : public decoder {
 public:
  checked_decoder(const ingress_def& def, std::optional<shard_id> partition)
      : decode_(def.make_decoder()),
        bytes_max_(def.record_bytes_max),
        partition_(partition.value_or(shard_id(0)).value()),
        partitions_(partition ? def.partitions : 0) {}

  void decode(std::span<const record_view> records, decoder_sink& sink) override {
    while (!records.empty()) {
      const auto bad = std::ranges::find_if(
          records, [this](const record_view& r) { return too_large(r) || misplaced(r); });
      const auto fine = records.first(static_cast<std::size_t>(bad - records.begin()));
      if (!fine.empty()) decode_->decode(fine, sink);
      if (bad == records.end()) return;
      refuse(*bad, sink);
      records = records.subspan(fine.size() + 1);
    }
  }

 private:
  bool too_large(const record_view& r) const { return r.payload.size() > bytes_max_; }
  /// Without a key it belongs nowhere: the topic's decoder knows what is wrong with it.
  bool misplaced(const record_view& r) const {
    return partitions_ > 0 && !r.key.empty() && partition_of(r.key, partitions_) != partition_;
  }

  void refuse(const record_view& bad, decoder_sink& sink) const {
    if (too_large(bad))
      return sink.refuse(bad, "record_too_large",
                         std::to_string(bad.payload.size()) + " bytes, at most " +
                             std::to_string(bytes_max_) + " (ingress.record_bytes_max)");
    sink.refuse(bad, "wrong_partition",
                "a key's partition is that of Kafka's default partitioner (murmur2), here " +
                    std::to_string(partition_of(bad.key, partitions_)) + " of " +
                    std::to_string(partitions_));
  }

  std::unique_ptr<decoder> decode_;
  std::size_t bytes_max_;
  std::uint32_t partition_, partitions_;
};

}  // namespace

std::unique_ptr<decoder> decoder_of(const ingress_def& def, std::optional<shard_id> partition) {
  return std::make_unique<checked_decoder>(def, partition);
}

}  // namespace troupe
