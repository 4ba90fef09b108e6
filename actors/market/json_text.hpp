#pragma once

#include <charconv>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>

#include "runtime/base/fixed.hpp"

namespace troupe::market {

/// Appends JSON to a string: names and texts go in as they are, so they must need no escapes.
class json_text {
 public:
  explicit json_text(std::string& to) : to_(to) {}

  json_text& raw(std::string_view text) {
    to_ += text;
    return *this;
  }
  /// `,"name":`, without the comma at the beginning of an object.
  json_text& name(std::string_view text) {
    separate();
    return raw("\"").raw(text).raw("\":");
  }
  /// A comma, unless something has just begun.
  json_text& separate() {
    const char last = to_.empty() ? '{' : to_.back();
    if (last != '{' && last != '[' && last != ':') to_ += ',';
    return *this;
  }
  json_text& text(std::string_view value) { return raw("\"").raw(value).raw("\""); }
  json_text& number(std::int64_t value) { return put(value); }
  /// Shortest text that reads back to the same bits; null when not finite.
  json_text& real(double value) { return std::isfinite(value) ? put(value) : raw("null"); }
  json_text& decimal(fixed value) { return decimal(wide{value.raw()}); }
  json_text& decimal(wide units);

 private:
  template <class Number>
  json_text& put(Number value) {
    char buffer[32];
    const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
    return raw({buffer, static_cast<std::size_t>(end - buffer)});
  }

  std::string& to_;
};

}  // namespace troupe::market
