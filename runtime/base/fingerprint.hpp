#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace troupe {

/// FNV-1a of 64 bits, as 16 hexadecimal digits: tells texts apart that differ by accident.
inline std::string fingerprint(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  std::string digits;
  for (int shift = 60; shift >= 0; shift -= 4) digits += "0123456789abcdef"[(hash >> shift) & 15];
  return digits;
}

}  // namespace troupe
