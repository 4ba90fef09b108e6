#include "runtime/entity/ingress.hpp"

#include <algorithm>

namespace troupe {

namespace {

class bounded_decoder final : public decoder {
 public:
  explicit bounded_decoder(const ingress_def& def)
      : decode_(def.make_decoder()), bytes_max_(def.record_bytes_max) {}

  void decode(std::span<const record_view> records, decoder_sink& sink) override {
    while (!records.empty()) {
      const auto large = std::ranges::find_if(
          records, [&](const record_view& r) { return r.payload.size() > bytes_max_; });
      const auto fine = records.first(static_cast<std::size_t>(large - records.begin()));
      if (!fine.empty()) decode_->decode(fine, sink);
      if (large == records.end()) return;
      sink.refuse(*large, "record_too_large",
                  std::to_string(large->payload.size()) + " bytes, at most " +
                      std::to_string(bytes_max_) + " (ingress.record_bytes_max)");
      records = records.subspan(fine.size() + 1);
    }
  }

 private:
  std::unique_ptr<decoder> decode_;
  std::size_t bytes_max_;
};

}  // namespace

std::unique_ptr<decoder> decoder_of(const ingress_def& def) {
  return std::make_unique<bounded_decoder>(def);
}

}  // namespace troupe
