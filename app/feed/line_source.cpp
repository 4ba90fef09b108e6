#include "app/feed/line_source.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

namespace troupe::feed {

namespace {

constexpr std::size_t buffer_size = 256 * 1024;
constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";

}  // namespace

line_source::line_source(const std::string& path) : path_(path), buffer_(buffer_size) {
  if (const auto wrong = app::reading_trouble(path); !wrong.empty())
    throw app::unreadable_file(wrong);
  if (!std::filesystem::is_regular_file(path))
    throw app::unreadable_file(path + ": is no regular file; pipes and devices are not read");
  std::error_code error;
  size_ = std::filesystem::file_size(path, error);
  if (!error) file_ = ::gzopen(path.c_str(), "rb");
  if (file_ == nullptr)
    throw app::unreadable_file(
        path + ": cannot be read: " + (error ? error.message() : std::strerror(errno)));
  ::gzbuffer(file_, buffer_size);
}

line_source::~line_source() {
  ::gzclose(file_);
}

std::uint64_t line_source::read_bytes() const {
  return static_cast<std::uint64_t>(::gzoffset(file_));
}

bool line_source::fill() {
  const int n = ::gzread(file_, buffer_.data(), static_cast<unsigned>(buffer_.size()));
  int error = Z_OK;
  ::gzerror(file_, &error);
  if (n < 0 || (n == 0 && error != Z_OK && error != Z_STREAM_END))
    throw damaged_file(path_ + ": damaged after line " + std::to_string(number_) +
                       (error == Z_ERRNO ? ": it cannot be read on"
                                         : ": its gzip data is cut or "
                                           "broken"));
  at_ = 0;
  filled_ = static_cast<std::size_t>(n);
  return n > 0;
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
