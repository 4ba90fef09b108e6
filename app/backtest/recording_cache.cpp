#include "app/backtest/recording_cache.hpp"

#include <algorithm>

#include "runtime/http/signature.hpp"

namespace troupe::app {

std::string name_of_recording(std::string_view bytes) {
  return http::sha256(bytes);
}

recording_ptr recording_cache::get(const std::string& name) {
  const std::lock_guard lock(mutex_);
  const auto found =
      std::find_if(entries_.begin(), entries_.end(), [&](const auto& e) { return e.name == name; });
  if (found != entries_.end()) {
    entries_.splice(entries_.begin(), entries_, found);
    return entries_.front().data;
  }
  auto loaded = load(name);
  while (!entries_.empty() && bytes_ + loaded.bytes > bytes_max_) {
    bytes_ -= entries_.back().bytes;
    entries_.pop_back();
  }
  bytes_ += loaded.bytes;
  entries_.push_front(std::move(loaded));
  return entries_.front().data;
}

recording_cache::entry recording_cache::load(const std::string& name) {
  const auto bytes = load_(name);
  if (!bytes)
    throw no_recording("missing_data: the database has no recording " + name +
                       "; submit the sweep again, which uploads it");
  if (name_of_recording(*bytes) != name)
    throw no_recording("damaged_data: recording " + name +
                       " is not what its name says; delete it from the table blob and submit the "
                       "sweep again");
  try {
    auto data = trading::decode_recording(*bytes);
    const auto size = trading::bytes_of(data);
    if (size > bytes_max_)
      throw no_recording("data_too_large: the recording takes " + std::to_string((size >> 20) + 1) +
                         " MiB, and backtests.data_max_mib allows " +
                         std::to_string(bytes_max_ >> 20));
    return {name, std::make_shared<const std::vector<trading::symbol_data>>(std::move(data)), size};
  } catch (const trading::bad_recording& e) {
    throw no_recording(std::string("wrong_data: ") + e.what());
  }
}

}  // namespace troupe::app
