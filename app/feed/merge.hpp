#pragma once

#include <functional>
#include <memory>
#include <queue>
#include <utility>
#include <vector>

#include "app/feed/record_reader.hpp"

namespace troupe::feed {

/// The records of several files by time: of the files' next records the one with the smallest time,
/// at equal times the one of the first file. The order within a file stays, even where its times
/// step back.
class merger {
 public:
  using readers = std::vector<std::unique_ptr<record_reader>>;
  explicit merger(readers files);

  /// The next record, good until the next call; nothing at the end.
  const record* next();
  const readers& files() const { return files_; }
  /// The one whose record `next` gave. Requires: it gave one.
  const record_reader& file() const { return *files_[*given_]; }
  /// Share of the files' bytes that has been read.
  double share() const;

 private:
  void read(std::size_t file);

  readers files_;
  std::vector<record> heads_;
  using turn = std::pair<std::int64_t, std::size_t>;  // Time and file.
  std::priority_queue<turn, std::vector<turn>, std::greater<>> turns_;
  std::optional<std::size_t> given_;  // The file whose record is with the caller.
};

/// Opens all of them. Throws std::runtime_error with a line for each that cannot be fed.
merger::readers open_all(const std::vector<std::string>& paths);

}  // namespace troupe::feed
