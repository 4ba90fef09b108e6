#include "app/feed/fields.hpp"

#include <algorithm>
#include <charconv>

#include "app/failure.hpp"
#include "runtime/base/fixed.hpp"
#include "runtime/codec/text.hpp"

namespace troupe::feed {

namespace {

constexpr std::size_t shown_max = 40, decimals_max = 8;
/// Seconds of March 1973 and of the year 2100.
constexpr std::int64_t seconds_from = 100'000'000, seconds_to = 4'102'444'800;

bool in_seconds(std::int64_t time) {
  return time >= seconds_from && time < seconds_to;
}

/// What a time is that is none in milliseconds; empty: nobody knows.
std::string_view unit_of(std::int64_t time) {
  constexpr std::int64_t thousand = 1'000, million = 1'000'000;
  if (in_seconds(time)) return "seconds";
  if (in_seconds(time / million)) return "microseconds";
  if (in_seconds(time / million / thousand)) return "nanoseconds";
  return {};
}

bool is_long_decimal(std::string_view text) {
  const auto point = text.find('.');
  if (point == std::string_view::npos || text.size() <= point + 1 + decimals_max) return false;
  const auto more = text.substr(point + 1 + decimals_max);
  const auto value = parse_wide(text.substr(0, point + 1 + decimals_max));
  return value && *value >= 0 &&
         std::all_of(more.begin(), more.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

std::string quoted(std::string_view text) {
  return '"' + app::printable(cut(text, shown_max)) + (text.size() > shown_max ? "...\"" : "\"");
}

std::string wrong_count(std::size_t fields, std::size_t columns) {
  return std::to_string(fields) + " fields, and the header has " + std::to_string(columns);
}

std::string no_symbol(std::string_view text) {
  return "symbol: " + quoted(text) + " is no symbol (1 to 32 characters, no quotes, no backslash)";
}

std::string no_date(std::string_view text) {
  return "date: " + quoted(text) + " is no date such as 2024-08-09";
}

namespace {

std::string no_decimal(std::string_view column, std::string_view text, const char* allowed) {
  return std::string(column) + ": " + quoted(text) +
         (is_long_decimal(text) ? " has more than 8 decimals: round it to 8" : allowed);
}

}  // namespace

std::string no_number(std::string_view column, std::string_view text) {
  return no_decimal(column, text, " is no number of 0 to 92233720368 with at most 8 decimals");
}

std::string no_volume(std::string_view column, std::string_view text) {
  return no_decimal(column, text, " is no number of 0 or more with at most 8 decimals");
}

std::optional<std::int64_t> ms_column::read(std::string_view text) {
  std::int64_t ms = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), ms);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  if (whole && first_) in_seconds_ = in_seconds(ms);
  first_ = first_ && !whole;
  if (whole && ms >= 0 && ms < end_ && !(in_seconds_ && in_seconds(ms))) return ms;
  const auto unit = whole ? unit_of(ms) : std::string_view();
  why_ = "ts_ms: " + quoted(text);
  if (unit.empty())
    why_ += " is no time in milliseconds since 1970";
  else
    ((why_ += " looks like ") += unit) += "; ts_ms is in milliseconds since 1970";
  return std::nullopt;
}

}  // namespace troupe::feed
