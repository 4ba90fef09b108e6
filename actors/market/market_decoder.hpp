#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "actors/market/json_frame.hpp"
#include "actors/market/market_options.hpp"
#include "actors/model/market_event.hpp"
#include "runtime/entity/ingress.hpp"

namespace troupe::market {

/// Why a record goes to the dead-letter topic. In order of precedence; within a record the first
/// field in the order of docs/market-data.md decides between the last four.
enum class decode_refusal : std::uint8_t {
  none,
  malformed_json,  // Not one JSON object in UTF-8.
  unknown_type,    // Neither encoding has it; detail: the type as given.
  symbol_invalid,  // Not 1 to 32 printable characters.
  wrong_key,       // The record's key is not the symbol (ASCII case aside).
  missing_field,   // Detail of this and all below: the field's name.
  bad_field,  // Not of its type, more than eight decimals, a bar that is not aligned to its period.
  price_out_of_range,  // Not above 0, or above price_max.
  size_out_of_range,   // Below 0, a trade of 0, or above size_max (volumes: a million times that).
  time_out_of_range,   // Outside [time_min, time_max).
};
std::string_view name_of(decode_refusal r);

inline constexpr std::size_t symbol_chars_max = 32;
/// Whether a text, which is UTF-8, can be a symbol.
bool is_symbol(std::string_view text);
inline constexpr std::string_view symbols_text =
    "1 to 32 characters, no control characters and no backslash";

/// What one record came to; `detail` lives until the next record.
struct decode_result {
  decode_refusal refusal = decode_refusal::none;
  std::string_view detail;
};

/// Turns one record into one event. Both encodings are described in docs/market-data.md. Never
/// throws on input.
class record_reader {
 public:
  explicit record_reader(const market_options& limits) : limits_(limits) {}

  /// On success `event` is complete except for `detail`, and `extra` holds the long part of a bar
  /// or ticker.
  decode_result read(const record_view& record, market_event& event, ohlcv& extra);

 private:
  decode_result read_own(const record_view& record, market_event& event, ohlcv& extra) const;
  decode_result read_binance(const record_view& record, market_event& event, ohlcv& extra) const;

  market_options limits_;
  frame_reader frames_;
  json_frame frame_;
};

/// The decoder of the market topic: one batch a symbol and call. A symbol's entity is named by the
/// record's key, as written there, because the key is what chose the partition.
class market_decoder final : public decoder {
 public:
  explicit market_decoder(const market_options& limits) : reader_(limits) {}

  void decode(std::span<const record_view> records, decoder_sink& sink) override;

 private:
  struct pending {
    std::vector<market_event> events;
    std::vector<ohlcv> details;
  };
  struct text_hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>{}(text);
    }
  };
  using pending_map = std::unordered_map<std::string, pending, text_hash, std::equal_to<>>;

  void collect(std::string_view key, market_event& event, const ohlcv& extra);
  void flush(decoder_sink& sink);

  record_reader reader_;
  pending_map pending_;                            // Kept from call to call for its memory.
  std::vector<pending_map::value_type*> touched_;  // In order of first appearance.
};

}  // namespace troupe::market
