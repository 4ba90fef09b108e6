#include "runtime/options/dsn.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

namespace troupe {
namespace {

constexpr std::string_view blanks = " \t\r\n\f\v";

struct setting {
  std::string_view keyword;
  std::string_view value;  // As written, quotes included.
};

bool is_address(std::string_view text) {
  return text.starts_with("postgres://") || text.starts_with("postgresql://");
}

void skip_blanks(std::string_view& rest) {
  rest.remove_prefix(std::min(rest.find_first_not_of(blanks), rest.size()));
}

std::string_view take(std::string_view& rest, std::size_t length) {
  const auto taken = rest.substr(0, length);
  rest.remove_prefix(taken.size());
  return taken;
}

/// Length of the value at the front, or nothing if its quote stays open. A backslash keeps the next
/// character from meaning anything.
std::optional<std::size_t> value_length(std::string_view rest) {
  const bool quoted = rest.starts_with('\'');
  for (std::size_t i = quoted ? 1 : 0; i < rest.size(); ++i) {
    if (rest[i] == '\\') {
      ++i;
    } else if (quoted && rest[i] == '\'') {
      return i + 1;
    } else if (!quoted && blanks.find(rest[i]) != blanks.npos) {
      return i;
    }
  }
  if (quoted) return std::nullopt;
  return rest.size();
}

/// Splits `keyword = value keyword = 'value'` as libpq does.
std::optional<std::vector<setting>> split(std::string_view rest) {
  std::vector<setting> settings;
  for (skip_blanks(rest); !rest.empty(); skip_blanks(rest)) {
    const auto keyword = take(rest, rest.find_first_of(" \t\r\n\f\v="));
    skip_blanks(rest);
    if (keyword.empty() || !rest.starts_with('=')) return std::nullopt;
    rest.remove_prefix(1);
    skip_blanks(rest);
    const auto length = value_length(rest);
    if (!length) return std::nullopt;
    settings.push_back({keyword, take(rest, *length)});
  }
  return settings;
}

bool is_harmless(std::string_view keyword) {
  static constexpr std::array<std::string_view, 8> known{"host",
                                                         "hostaddr",
                                                         "port",
                                                         "dbname",
                                                         "user",
                                                         "sslmode",
                                                         "connect_timeout",
                                                         "application_name"};
  return std::ranges::find(known, keyword) != known.end();
}

}  // namespace

bool is_dsn(std::string_view text) {
  if (is_address(text)) return true;
  const auto settings = split(text);
  return settings && !settings->empty();
}

std::vector<std::string> dsn_keywords(std::string_view dsn) {
  std::vector<std::string> all;
  if (is_address(dsn)) {
    auto rest = dsn.substr(std::min(dsn.find('?'), dsn.size()));
    while (!rest.empty()) {
      rest.remove_prefix(1);
      const auto one = take(rest, rest.find('&'));
      all.emplace_back(one.substr(0, one.find('=')));
    }
  } else if (const auto settings = split(dsn)) {
    for (const auto& s : *settings) all.emplace_back(s.keyword);
  }
  return all;
}

std::string without_password(std::string_view dsn) {
  if (is_address(dsn)) return "postgresql://***";
  const auto settings = split(dsn);
  if (!settings) return "***";
  std::string out;
  for (const auto& [keyword, value] : *settings) {
    if (!out.empty()) out += ' ';
    out += keyword;
    out += '=';
    out += is_harmless(keyword) ? value : "***";
  }
  return out;
}

}  // namespace troupe
