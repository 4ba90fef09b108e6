#pragma once

#include <optional>

#include "app/feed/state_file.hpp"
#include "app/feed/tick_generator.hpp"

namespace troupe::feed {

/// Remembers where the generator of a topic stands, so that the next run goes on after it. A run
/// says beforehand how far it may come: one that was killed counts as having come that far, so
/// nothing is ever late or a duplicate.
class generator_journal {
 public:
  /// `cluster`: names the topic, whatever tells it from others.
  generator_journal(const std::string& folder, const std::string& cluster);

  /// Where to go on; nothing: nobody was here. Throws when the file is damaged.
  std::optional<generator_state> load() const;
  /// Before the first row: a run with this shape begins at `from` and makes at most `rows`.
  void reserve(const generator_shape& shape, const generator_state& from, std::uint64_t rows) const;
  /// After the last one.
  void finish(const generator_state& at) const;

 private:
  state_file file_;
};

}  // namespace troupe::feed
