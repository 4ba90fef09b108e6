#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "app/feed/input_file.hpp"

namespace troupe::feed {

/// Lines of a text file, plain or compressed (see input_file).
class line_source {
 public:
  static constexpr std::size_t line_max = 900'000;
  /// What is wrong with a longer one.
  static constexpr std::string_view too_long = "a line of more than 900,000 bytes";

  /// Throws unreadable_file.
  explicit line_source(const std::string& path);

  /// The next line that is not empty, without its end (LF or CRLF), good until the next call; of
  /// one longer than `line_max` only that much and one more. Throws damaged_file, which says where.
  bool next(std::string_view& line);
  /// Number of the line that `next` gave last, from 1.
  std::uint64_t number() const { return number_; }
  const std::string& path() const { return path_; }
  /// Bytes of the file that have been read, and all of them.
  std::uint64_t read_bytes() const { return file_->read_bytes(); }
  std::uint64_t size() const { return size_; }

 private:
  bool next_of_any(std::string_view& line);
  bool fill();
  bool end_line(std::string_view part, std::string_view& line);

  std::string path_;
  std::uint64_t size_ = 0;
  std::unique_ptr<input_file> file_;
  std::vector<char> buffer_;
  std::size_t at_ = 0, filled_ = 0;
  std::string rest_;  // Of a line that crosses the buffer's end.
  std::uint64_t number_ = 0;
};

}  // namespace troupe::feed
