#pragma once

#include <string>
#include <string_view>

#include "runtime/base/clock.hpp"

namespace troupe {

bool is_utf8(std::string_view bytes);
/// The text itself, or nothing when PostgreSQL could not store it as text: not UTF-8, or with a
/// NUL.
inline std::string_view storable_or_empty(std::string_view bytes) {
  return is_utf8(bytes) && bytes.find('\0') == std::string_view::npos ? bytes : std::string_view{};
}
/// Fit to name an entity or a request: 1 to 256 bytes of UTF-8 without control characters.
bool is_name(std::string_view text);
/// The text's beginning: at most so many bytes, and no character in halves.
std::string_view cut(std::string_view text, std::size_t length_max);
/// Base64 (RFC 4648, section 4) with padding.
std::string base64(std::string_view bytes);

/// Topic for input that cannot be used.
inline constexpr std::string_view dead_letter_topic = "dead-letter";

struct dead_letter {
  std::string_view source;  // Topic, `timer`, `shard:N`.
  std::uint32_t partition;
  std::int64_t offset;
  std::string_view reason;  // A fixed name.
  std::string_view detail;
  std::string_view key;
  std::string_view payload;
  time_point at;
};

/// The record for the dead-letter topic, as JSON, of a size that every broker takes. A payload that
/// is not UTF-8 stands as `payload_base64`; one over 64 KiB is cut, with `payload_bytes` telling
/// its full size. The same holds for the key, from 1 KiB on; the detail is cut at 4 KiB.
std::string dead_letter_json(const dead_letter& letter);

}  // namespace troupe
