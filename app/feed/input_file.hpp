#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>

namespace troupe::feed {

/// A file that cannot be read to its end, such as a cut-off gzip.
struct damaged_file : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The bytes of a file as they were before it was compressed: plain, gzip or Zstandard, told apart
/// by how the file begins.
class input_file {
 public:
  /// Throws std::runtime_error, which names the file, if it cannot be read.
  static std::unique_ptr<input_file> open(const std::string& path);
  virtual ~input_file() = default;

  /// How many bytes were put into `to`; 0 at the end. Throws damaged_file with the reason.
  virtual std::size_t read(std::span<char> to) = 0;
  /// Of the file itself.
  virtual std::uint64_t read_bytes() const = 0;
};

}  // namespace troupe::feed
