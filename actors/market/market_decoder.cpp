#include "actors/market/market_decoder.hpp"

#include <array>
#include <memory>

namespace troupe::market {

namespace {

/// Symbols whose buffers are kept between calls; beyond that all are given back.
constexpr std::size_t symbols_kept_max = 65'536;

bool has_details(event_kind k) {
  return k == event_kind::bar || k == event_kind::ticker;
}

}  // namespace

std::string_view name_of(decode_refusal r) {
  constexpr std::array<std::string_view, 10> names{"none",
                                                   "malformed_json",
                                                   "unknown_type",
                                                   "symbol_invalid",
                                                   "wrong_key",
                                                   "missing_field",
                                                   "bad_field",
                                                   "price_out_of_range",
                                                   "size_out_of_range",
                                                   "time_out_of_range"};
  return names[static_cast<std::size_t>(r)];
}

void market_decoder::decode(std::span<const record_view> records, decoder_sink& sink) {
  market_event event;
  ohlcv extra;
  for (const auto& record : records) {
    const auto result = reader_.read(record, event, extra);
    if (result.refusal == decode_refusal::none)
      collect(record.key, event, extra);
    else
      sink.refuse(record, name_of(result.refusal), result.detail);
  }
  flush(sink);
}

void market_decoder::collect(std::string_view key, market_event& event, const ohlcv& extra) {
  auto found = pending_.find(key);
  if (found == pending_.end()) found = pending_.try_emplace(std::string(key)).first;
  auto& to = found->second;
  if (to.events.empty()) touched_.push_back(&*found);
  if (has_details(event.kind)) {
    event.detail = static_cast<std::uint32_t>(to.details.size());
    to.details.push_back(extra);
  }
  to.events.push_back(event);
}

void market_decoder::flush(decoder_sink& sink) {
  for (auto* entry : touched_) {
    auto& [key, waiting] = *entry;
    sink.deliver(key, std::make_shared<const market_batch>(waiting.events, waiting.details));
    waiting.events.clear();
    waiting.details.clear();
  }
  touched_.clear();
  if (pending_.size() > symbols_kept_max) pending_.clear();
}

}  // namespace troupe::market
