#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "app/feed/record_reader.hpp"

namespace troupe::feed {

/// Splits at commas, into `to`; a field may stand in quotes (and can hold no comma even then).
void split(std::string_view line, std::vector<std::string_view>& to);

/// A CSV file's columns by their names, whatever their case and the blanks around them. Requires:
/// names in small letters.
class columns {
 public:
  explicit columns(std::string_view header);
  bool has(std::initializer_list<std::string_view> names) const;
  /// Requires: there is such a column.
  std::size_t index(std::string_view name) const;
  std::size_t count() const { return names_.size(); }
  /// The first of these that stands there more than once, so that it names no column; empty: none.
  std::string_view twice(std::initializer_list<std::string_view> names) const;

 private:
  std::vector<std::string> names_;
};

/// 1 to 32 characters that stand in JSON as they are.
bool good_symbol(std::string_view symbol);

std::unique_ptr<line_parser> make_trades_parser(const columns& header);
std::unique_ptr<line_parser> make_quotes_parser(const columns& header);
/// `symbol`: of bars without a column of that name.
std::unique_ptr<line_parser> make_daily_parser(const columns& header, std::string symbol);
std::unique_ptr<line_parser> make_frames_parser();
std::unique_ptr<line_parser> make_records_parser();

}  // namespace troupe::feed
