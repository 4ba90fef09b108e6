#include "runtime/codec/text.hpp"

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>

namespace troupe {

namespace {

/// Length of the UTF-8 sequence that `lead` begins, 0 if none does (RFC 3629).
int sequence_length(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return 2;
  if (lead >= 0xE0 && lead <= 0xEF) return 3;
  if (lead >= 0xF0 && lead <= 0xF4) return 4;
  return 0;
}

/// Second bytes that are too small (overlong), a surrogate or above U+10FFFF.
bool bad_second(unsigned char lead, unsigned char second) {
  return (lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F) ||
         (lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second > 0x8F);
}

}  // namespace

bool is_utf8(std::string_view bytes) {
  for (std::size_t i = 0; i < bytes.size();) {
    const auto lead = static_cast<unsigned char>(bytes[i]);
    const auto length = static_cast<std::size_t>(sequence_length(lead));
    if (length == 0 || i + length > bytes.size()) return false;
    for (std::size_t k = 1; k < length; ++k)
      if ((static_cast<unsigned char>(bytes[i + k]) & 0xC0) != 0x80) return false;
    if (length > 1 && bad_second(lead, static_cast<unsigned char>(bytes[i + 1]))) return false;
    i += length;
  }
  return true;
}

bool is_name(std::string_view text) {
  constexpr std::size_t name_bytes_max = 256;
  const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; };
  return !text.empty() && text.size() <= name_bytes_max && is_utf8(text) &&
         std::none_of(text.begin(), text.end(), control);
}

std::string base64(std::string_view bytes) {
  static constexpr char alphabet[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k)
      group = group << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    for (std::size_t k = 0; k < 4; ++k)
      out.push_back(k <= bytes.size() - i ? alphabet[group >> (18 - 6 * k) & 63] : '=');
  }
  return out;
}

std::string_view cut(std::string_view text, std::size_t length_max) {
  if (text.size() <= length_max) return text;
  constexpr std::size_t character_max = 4;
  const auto goes_on = [&](std::size_t at) {
    return (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80;
  };
  auto end = length_max;
  while (end > 0 && length_max - end < character_max - 1 && goes_on(end)) --end;
  return text.substr(0, goes_on(end) ? length_max : end);  // Such a row of bytes is no text.
}

std::string dead_letter_json(const dead_letter& letter) {
  constexpr std::size_t payload_max = 64 << 10, key_max = 1 << 10, detail_max = 4 << 10;
  nlohmann::json json{{"source", letter.source},
                      {"partition", letter.partition},
                      {"offset", letter.offset},
                      {"reason", letter.reason},
                      {"detail", storable_or_empty(cut(letter.detail, detail_max))},
                      {"time", to_micros(letter.at)}};
  const auto put = [&](const std::string& name, std::string_view bytes, std::size_t bytes_max) {
    const auto some = cut(bytes, bytes_max);
    if (is_utf8(some))
      json[name] = some;
    else
      json[name + "_base64"] = base64(some);
    if (bytes.size() > bytes_max) json[name + "_bytes"] = bytes.size();
  };
  put("key", letter.key, key_max);
  put("payload", letter.payload, payload_max);
  return json.dump();
}

}  // namespace troupe
