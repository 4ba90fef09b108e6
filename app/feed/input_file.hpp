#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "app/failure.hpp"

namespace troupe::feed {

/// A file that cannot be read to its end, such as a cut-off gzip; the text says where.
struct damaged_file : app::unusable_file {
  using unusable_file::unusable_file;
};

/// The bytes of a file as they were before it was compressed: plain, gzip or Zstandard, told apart
/// by how the file begins.
class input_file {
 public:
  /// Throws unreadable_file, which names the file.
  static std::unique_ptr<input_file> open(const std::string& path);
  virtual ~input_file() = default;

  /// How many bytes were put into `to`; 0 at the end. Throws damaged_file with the reason.
  virtual std::size_t read(std::span<char> to) = 0;
  /// Of the file itself.
  virtual std::uint64_t read_bytes() const = 0;
};

}  // namespace troupe::feed
