#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/codec/json.hpp"
#include "runtime/options/violation.hpp"

namespace troupe {

/// Value of a variable, or nothing if it is not set.
using environment = std::function<std::optional<std::string>(const std::string& name)>;
environment process_environment();

constexpr std::size_t config_bytes_max = 1'048'576;
constexpr std::size_t config_depth_max = json_depth_max;

/// Reads a file of at most `config_bytes_max` bytes, or says why not.
std::optional<std::string> read_config_text(const std::string& path, std::vector<violation>& found);

/// Parses JSON with // and /* */ comments. Nothing, with the place, when it is not JSON, not an
/// object, too deep, or holds NUL. A key that stands twice is a violation; its first value counts.
std::optional<nlohmann::json> parse_config(std::string_view text, const std::string& file,
                                           std::vector<violation>& found);

struct expanded {
  std::string text;
  std::string wrong;  // Why there is no text; empty: there is.
};
/// Replaces `${NAME}` and `${NAME:-default}` (for a variable that is unset or empty); `$${` stands
/// for `${`.
expanded expand(std::string_view raw, const environment& env);

/// The value as JSON for a person: ASCII, one line, of bounded length. Objects and lists are named,
/// not shown.
std::string shown(const nlohmann::json& value);
/// A key the same way: bare if it is harmless.
std::string shown_key(std::string_view key);

}  // namespace troupe
