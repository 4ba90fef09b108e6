#include "actors/market/json_frame.hpp"

#include <simdjson.h>
#include <bit>
#include <cstring>
#include <optional>

namespace troupe::market {

namespace {

namespace od = simdjson::ondemand;

/// A name of at most eight characters as one word, the first in the lowest byte.
constexpr std::uint64_t packed(std::string_view name) {
  std::uint64_t bits = 0;
  for (std::size_t i = name.size(); i-- > 0;)
    bits = bits << 8 | static_cast<unsigned char>(name[i]);
  return bits;
}

/// The name that begins at `text` and ends before a quote; 0 when it is longer than eight
/// characters. Reads nine bytes.
std::uint64_t packed_name(const char* text) {
  std::uint64_t bits;
  std::memcpy(&bits, text, sizeof bits);
  const auto marked = bits ^ 0x2222222222222222;  // Quotes become zero bytes.
  const auto zeros = (marked - 0x0101010101010101) & ~marked & 0x8080808080808080;
  if (zeros == 0) return text[8] == '"' ? bits : 0;
  const auto used = std::countr_zero(zeros) & ~7;
  return bits & ((std::uint64_t{1} << used) - 1);
}

constexpr std::optional<word> word_of(std::uint64_t name) {
  switch (name) {
    case packed("type"):
      return word::type;
    case packed("symbol"):
      return word::symbol;
    case packed("time"):
      return word::time;
    case packed("price"):
      return word::price;
    case packed("size"):
      return word::size;
    case packed("id"):
      return word::id;
    case packed("bid"):
      return word::bid;
    case packed("bid_size"):
      return word::bid_size;
    case packed("ask"):
      return word::ask;
    case packed("ask_size"):
      return word::ask_size;
    case packed("period"):
      return word::period;
    case packed("open"):
      return word::open;
    case packed("high"):
      return word::high;
    case packed("low"):
      return word::low;
    case packed("close"):
      return word::close;
    case packed("volume"):
      return word::volume;
    case packed("trades"):
      return word::trades;
    case packed("stream"):
      return word::stream;
    default:
      return std::nullopt;
  }
}

constexpr bool is_letter(std::uint64_t name) {
  return (name >= 'a' && name <= 'z') || (name >= 'A' && name <= 'Z');
}

std::string_view token_of(od::value& v) {
  auto token = v.raw_json_token();
  while (!token.empty() && static_cast<unsigned char>(token.back()) <= ' ') token.remove_suffix(1);
  return token;
}

bool read_letters(od::object object, letter_table& letters, letter_table* inner);

bool read_inner(od::value& v, letter_table& letters, letter_table* inner) {
  od::object object;
  return v.get_object().get(object) == simdjson::SUCCESS && read_letters(object, letters, inner);
}

bool take_letter(std::uint64_t name, od::value& v, letter_table& letters, letter_table* inner) {
  if (!is_letter(name)) return true;
  const auto token = token_of(v);
  letters.set(letter(static_cast<char>(name)), token);
  if (name != 'k' || inner == nullptr || token != "{") return true;
  inner->clear();
  return read_inner(v, *inner, nullptr);
}

bool read_letters(od::object object, letter_table& letters, letter_table* inner) {
  for (auto field : object) {
    if (field.error() != simdjson::SUCCESS) return false;
    auto& pair = field.value_unsafe();
    if (!take_letter(packed_name(pair.key().raw()), pair.value(), letters, inner)) return false;
  }
  return true;
}

bool take_field(std::uint64_t name, od::value& v, json_frame& out) {
  if (const auto w = word_of(name)) {
    out.words.set(static_cast<std::size_t>(*w), token_of(v));
    return true;
  }
  if (name == packed("data") && token_of(v) == "{") return read_inner(v, out.letters, &out.kline);
  return take_letter(name, v, out.letters, &out.kline);
}

bool read_fields(od::document& document, json_frame& out) {
  od::object object;
  if (document.get_object().get(object) != simdjson::SUCCESS) return false;
  for (auto field : object) {
    if (field.error() != simdjson::SUCCESS) return false;
    auto& pair = field.value_unsafe();
    if (!take_field(packed_name(pair.key().raw()), pair.value(), out)) return false;
  }
  return document.current_location().error() == simdjson::OUT_OF_BOUNDS;  // Nothing follows.
}

}  // namespace

struct frame_reader::parser : od::parser {};

frame_reader::frame_reader() : parser_(std::make_unique<parser>()) {}
frame_reader::~frame_reader() = default;

bool frame_reader::read(std::string_view payload, json_frame& out) {
  out.words.clear();
  out.letters.clear();
  out.kline.clear();
  if (payload.empty()) return false;
  if (padded_.size() < payload.size() + simdjson::SIMDJSON_PADDING)
    padded_.resize(payload.size() + simdjson::SIMDJSON_PADDING);
  std::memcpy(padded_.data(), payload.data(), payload.size());
  od::document document;
  const simdjson::padded_string_view view(padded_.data(), payload.size(), padded_.size());
  if (parser_->iterate(view).get(document) != simdjson::SUCCESS) return false;
  return read_fields(document, out);
}

}  // namespace troupe::market
