#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace troupe::feed {

// What is told of fields of CSV files that cannot be used: the same words, whoever reads them.

/// In quotes, control characters as escapes, cut where it is long.
std::string quoted(std::string_view text);
/// `3 fields, and the header has 6`.
std::string wrong_count(std::size_t fields, std::size_t columns);
std::string no_symbol(std::string_view text);
std::string no_date(std::string_view text);
/// Of what is no decimal of 0 or more, and what to do where that is known.
std::string no_number(std::string_view column, std::string_view text);
/// The same of a sum of sizes, which has no bound that matters.
std::string no_volume(std::string_view column, std::string_view text);

/// The column `ts_ms` of one file. Times of other units are told as what they are: those in seconds
/// would pass for January 1970. A file whose first time is one of 1973 to 2100 in seconds is one of
/// seconds.
class ms_column {
 public:
  /// `end`: the first time that is none any more.
  explicit ms_column(std::int64_t end) : end_(end) {}

  /// Milliseconds since 1970; nothing: `why` tells.
  std::optional<std::int64_t> read(std::string_view text);
  const std::string& why() const { return why_; }

 private:
  std::int64_t end_;
  bool first_ = true, in_seconds_ = false;
  std::string why_;
};

}  // namespace troupe::feed
