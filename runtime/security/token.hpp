#pragma once

#include <string_view>

namespace troupe::security {

/// Whether they are equal, in a time that does not tell where they differ, nor how long `secret`
/// is.
bool same_secret(std::string_view secret, std::string_view offered);

/// A token may travel in a header and in a hello: 16 to 128 visible characters of ASCII.
bool is_token(std::string_view text);

}  // namespace troupe::security
