#include "app/feed/input_file.hpp"

#include <zlib.h>
#include <zstd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <vector>

namespace troupe::feed {

namespace {

constexpr unsigned buffer_size = 256 * 1024;
constexpr std::array<char, 4> zstd_begin{'\x28', '\xb5', '\x2f', '\xfd'};  // RFC 8878, 3.1.1.

app::unreadable_file unreadable(const std::string& path, const std::string& why) {
  return app::unreadable_file(path + ": cannot be read: " + why);
}

/// zlib passes what is not gzip through as it is.
class gzip_file final : public input_file {
 public:
  explicit gzip_file(const std::string& path) : file_(::gzopen(path.c_str(), "rb")) {
    if (file_ == nullptr) throw unreadable(path, std::strerror(errno));
    ::gzbuffer(file_, buffer_size);
  }
  ~gzip_file() override { ::gzclose(file_); }
  gzip_file(const gzip_file&) = delete;
  gzip_file& operator=(const gzip_file&) = delete;

  std::size_t read(std::span<char> to) override {
    const int n = ::gzread(file_, to.data(), static_cast<unsigned>(to.size()));
    int error = Z_OK;
    ::gzerror(file_, &error);
    if (n < 0 || (n == 0 && error != Z_OK && error != Z_STREAM_END))
      throw damaged_file(error == Z_ERRNO ? "it cannot be read on"
                                          : "its gzip data is cut or broken");
    return static_cast<std::size_t>(n);
  }
  std::uint64_t read_bytes() const override {
    return static_cast<std::uint64_t>(::gzoffset(file_));
  }

 private:
  gzFile file_;
};

class zstd_file final : public input_file {
 public:
  explicit zstd_file(const std::string& path)
      : file_(path, std::ios::binary), stream_(ZSTD_createDStream()), buffer_(buffer_size) {
    if (!file_) throw unreadable(path, std::strerror(errno));
  }

  std::size_t read(std::span<char> to) override {
    ZSTD_outBuffer out{to.data(), to.size(), 0};
    while (out.pos == 0) {
      if (in_.pos == in_.size && !fill()) {
        if (frame_open_) throw damaged_file("its Zstandard data is cut");
        return 0;
      }
      const auto left = ZSTD_decompressStream(stream_.get(), &out, &in_);
      if (ZSTD_isError(left) != 0)
        throw damaged_file(std::string("its Zstandard data is broken: ") + ZSTD_getErrorName(left));
      frame_open_ = left != 0;
    }
    return out.pos;
  }
  std::uint64_t read_bytes() const override { return read_; }

 private:
  bool fill() {
    file_.read(buffer_.data(), static_cast<std::streamsize>(buffer_.size()));
    const auto n = static_cast<std::size_t>(file_.gcount());
    read_ += n;
    in_ = {buffer_.data(), n, 0};
    return n > 0;
  }

  struct destroy {
    void operator()(ZSTD_DStream* stream) const { ZSTD_freeDStream(stream); }
  };
  std::ifstream file_;
  std::unique_ptr<ZSTD_DStream, destroy> stream_;
  std::vector<char> buffer_;
  ZSTD_inBuffer in_{nullptr, 0, 0};
  std::uint64_t read_ = 0;
  bool frame_open_ = false;
};

}  // namespace

std::unique_ptr<input_file> input_file::open(const std::string& path) {
  if (const auto wrong = app::reading_trouble(path); !wrong.empty())
    throw app::unreadable_file(wrong);
  if (!std::filesystem::is_regular_file(path))
    throw app::unreadable_file(path + ": is no regular file; pipes and devices are not read");
  std::ifstream file(path, std::ios::binary);
  if (!file) throw unreadable(path, std::strerror(errno));
  std::array<char, 4> begin{};
  if (file.read(begin.data(), begin.size()) && begin == zstd_begin)
    return std::make_unique<zstd_file>(path);
  return std::make_unique<gzip_file>(path);
}

}  // namespace troupe::feed
