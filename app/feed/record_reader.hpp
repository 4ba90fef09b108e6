#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/feed/line_source.hpp"

namespace troupe::feed {

/// What a line becomes on its way to the topic.
struct record {
  std::string key;
  std::string payload;
  std::int64_t time_us = 0;                  // By which files are merged.
  std::optional<std::int64_t> timestamp_ms;  // Kafka's; nothing: now.
};

/// Makes records of one kind of lines. Never throws on what a line holds.
class line_parser {
 public:
  virtual ~line_parser() = default;
  /// Empty: `to` is the record. Otherwise what is wrong with the line, good until the next call.
  virtual std::string_view parse(std::string_view line, record& to) = 0;
};

enum class file_kind : std::uint8_t { trades, quotes, daily, frames, records };
std::string_view name_of(file_kind kind);
/// Told by a file's first line: the columns of a CSV file may stand in any order, further ones are
/// ignored.
std::optional<file_kind> kind_of(std::string_view first_line);
/// `path` names the symbol of daily bars without a column `symbol`.
std::unique_ptr<line_parser> make_parser(file_kind kind, std::string_view first_line,
                                         const std::string& path);
/// `AAPL` of `data/AAPL.csv.gz`.
std::string symbol_of_file(const std::string& path);

/// A line that was skipped.
struct bad_line {
  std::uint64_t number = 0;
  std::string why;  // Field and what it should be.
};

/// The records of one file, in its order.
class record_reader {
 public:
  static constexpr std::size_t bad_lines_kept = 5;

  /// Throws unreadable_file, or unusable_file naming the file and the first line when that is none
  /// of the kinds.
  explicit record_reader(const std::string& path);

  /// Skips bad lines and counts them. Throws when the file itself is damaged.
  bool next(record& to);

  file_kind kind() const { return kind_; }
  const line_source& source() const { return lines_; }
  std::uint64_t bad() const { return bad_; }
  /// The first ones.
  const std::vector<bad_line>& bad_lines() const { return bad_lines_; }

 private:
  line_source lines_;
  file_kind kind_ = file_kind::trades;
  std::unique_ptr<line_parser> parser_;
  std::optional<std::string> first_;  // When the first line is a record already.
  std::uint64_t bad_ = 0;
  std::vector<bad_line> bad_lines_;
};

}  // namespace troupe::feed
