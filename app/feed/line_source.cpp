#include "app/feed/line_source.hpp"

#include <algorithm>
#include <filesystem>

namespace troupe::feed {

namespace {

constexpr std::size_t buffer_size = 256 * 1024;
constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";

}  // namespace

line_source::line_source(const std::string& path)
    : path_(path), file_(input_file::open(path)), buffer_(buffer_size) {
  size_ = std::filesystem::file_size(path);
}

bool line_source::fill() {
  at_ = 0;
  try {
    filled_ = file_->read(buffer_);
  } catch (const damaged_file& e) {
    throw damaged_file(path_ + ": damaged after line " + std::to_string(number_) + ": " + e.what());
  }
  return filled_ > 0;
}

bool line_source::end_line(std::string_view part, std::string_view& line) {
  if (!rest_.empty()) {
    rest_.append(part.substr(0, line_max + 1 - std::min(rest_.size(), line_max + 1)));
    part = rest_;
  }
  if (part.ends_with('\r')) part.remove_suffix(1);
  if (++number_ == 1 && part.starts_with(byte_order_mark))
    part.remove_prefix(byte_order_mark.size());
  line = part.substr(0, line_max + 1);
  return true;
}

bool line_source::next(std::string_view& line) {
  do {
    if (!next_of_any(line)) return false;
  } while (line.empty());
  return true;
}

bool line_source::next_of_any(std::string_view& line) {
  rest_.clear();
  for (;;) {
    if (at_ == filled_ && !fill()) return !rest_.empty() && end_line({}, line);
    const std::string_view left(buffer_.data() + at_, filled_ - at_);
    const auto end = left.find('\n');
    if (end != std::string_view::npos) {
      at_ += end + 1;
      return end_line(left.substr(0, end), line);
    }
    if (rest_.size() <= line_max) rest_.append(left);
    at_ = filled_;
  }
}

}  // namespace troupe::feed
