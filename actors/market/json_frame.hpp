#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace troupe::market {

/// Tokens of an object's fields, by small number. A token is the raw text of a value: a string with
/// its quotes, a number, `{` for an object. `null` counts as absent; of a repeated name the last
/// counts.
template <std::size_t Count>
class token_table {
  static_assert(Count <= 64);

 public:
  void clear() { present_ = 0; }
  bool has(std::size_t i) const { return (present_ >> i & 1) != 0; }
  /// Empty when absent.
  std::string_view operator[](std::size_t i) const {
    return has(i) ? tokens_[i] : std::string_view{};
  }
  void set(std::size_t i, std::string_view token) {
    const auto bit = std::uint64_t{1} << i;
    if (token.starts_with('n') && token == "null")
      present_ &= ~bit;
    else
      present_ |= bit;
    tokens_[i] = token;
  }

 private:
  std::uint64_t present_ = 0;
  std::array<std::string_view, Count> tokens_;
};

/// Names of Troupe's own encoding and of the combined-stream wrapper.
enum class word : std::uint8_t {
  type,
  symbol,
  time,
  price,
  size,
  id,
  bid,
  bid_size,
  ask,
  ask_size,
  period,
  open,
  high,
  low,
  close,
  volume,
  trades,
  stream,
  count_
};

/// Number of a one-letter name.
constexpr std::size_t letter(char c) {
  return static_cast<std::size_t>(c >= 'a' ? c - 'a' + 26 : c - 'A');
}

using letter_table = token_table<52>;
using word_table = token_table<static_cast<std::size_t>(word::count_)>;

/// The fields of one record, whatever its encoding. Names are compared as written: one with escapes
/// is not known.
struct json_frame {
  word_table words;
  letter_table letters;  // Of the record itself or of its `data`.
  letter_table kline;    // Of `k` in there.

  std::string_view operator[](word w) const { return words[static_cast<std::size_t>(w)]; }
};

/// Reads records into frames. Keeps its buffers.
class frame_reader {
 public:
  frame_reader();
  ~frame_reader();

  /// False: not one JSON object in UTF-8. Values that no frame field takes are skipped, and checked
  /// only as far as that needs. The tokens live until the next call.
  bool read(std::string_view payload, json_frame& out);

 private:
  struct parser;  // Keeps the JSON library out of what includes this.
  std::unique_ptr<parser> parser_;
  std::string padded_;
};

}  // namespace troupe::market
