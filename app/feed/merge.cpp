#include "app/feed/merge.hpp"

#include <optional>

namespace troupe::feed {

merger::merger(readers files) : files_(std::move(files)), heads_(files_.size()) {
  for (std::size_t file = 0; file < files_.size(); ++file) read(file);
}

void merger::read(std::size_t file) {
  if (files_[file]->next(heads_[file])) turns_.emplace(heads_[file].time_us, file);
}

const record* merger::next() {
  if (given_) read(*given_);
  given_.reset();
  if (turns_.empty()) return nullptr;
  given_ = turns_.top().second;
  turns_.pop();
  return &heads_[*given_];
}

double merger::share() const {
  std::uint64_t done = 0, all = 0;
  for (const auto& file : files_) {
    done += file->source().read_bytes();
    all += file->source().size();
  }
  return static_cast<double>(done) / static_cast<double>(all);
}

merger::readers open_all(const std::vector<std::string>& paths) {
  merger::readers files;
  std::optional<app::failure> first;
  std::string wrong;
  for (const auto& path : paths) {
    try {
      files.push_back(std::make_unique<record_reader>(path));
    } catch (const std::exception& e) {
      (wrong += wrong.empty() ? "" : "\n") += e.what();
      if (!first) first = app::as_failure(e);
    }
  }
  if (first) throw app::failure(first->name(), wrong);
  return files;
}

}  // namespace troupe::feed
