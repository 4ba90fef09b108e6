#pragma once

#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "actors/trading/recording.hpp"

namespace troupe::app {

using recording_ptr = std::shared_ptr<const std::vector<trading::symbol_data>>;

/// A recording that cannot be had, now or ever; the text says why and what would help.
struct no_recording : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// SHA-256 of an encoded recording: its name in the database.
std::string name_of_recording(std::string_view bytes);

/// The recordings that were used last, up to so many bytes. What is in use stays in memory beyond
/// that. For any thread; while one loads, the others wait.
class recording_cache {
 public:
  /// `load` returns the encoded recording of a name, or nothing.
  using loader = std::function<std::optional<std::string>(const std::string& name)>;
  recording_cache(std::size_t bytes_max, loader load)
      : bytes_max_(bytes_max), load_(std::move(load)) {}

  /// Throws no_recording, and whatever `load` throws.
  recording_ptr get(const std::string& name);

 private:
  struct entry {
    std::string name;
    recording_ptr data;
    std::size_t bytes;
  };
  entry load(const std::string& name);

  const std::size_t bytes_max_;
  const loader load_;
  std::mutex mutex_;
  std::list<entry> entries_;  // The last used first.
  std::size_t bytes_ = 0;
};

}  // namespace troupe::app
