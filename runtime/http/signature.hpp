#pragma once

#include <string>
#include <string_view>

namespace troupe::http {

/// HMAC-SHA256 (RFC 2104, FIPS 180-4) of a text under a secret, as 64 hexadecimal digits.
std::string hmac_sha256(std::string_view secret, std::string_view text);
/// SHA-256 (FIPS 180-4) of a text, as 64 hexadecimal digits.
std::string sha256(std::string_view text);

}  // namespace troupe::http
