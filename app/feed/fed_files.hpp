#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "app/settings.hpp"

namespace troupe::feed {

/// A file as it is when it is fed; once it has changed it is another one.
struct fed_file {
  std::string path;  // Absolute, without links.
  std::int64_t size = 0;
  std::string changed;  // Seconds and nanoseconds.
  std::string inode;    // With its device: the file under another name.
};

/// What tells a feed from every other: the files in their order, and where they go.
struct feed_subject {
  std::string brokers, topic_prefix;
  std::uint32_t shards = 0;
  std::vector<fed_file> files;
};

/// Throws wrong_arguments when two of the paths are one file; says nothing of those that are not
/// there.
void refuse_same_file_twice(const std::vector<std::string>& paths);
/// Throws unreadable_file when a file is not there.
feed_subject subject_of(const app::settings& all, const std::vector<std::string>& paths);

nlohmann::json to_json(const feed_subject& subject);
/// Throws json::exception when it is none.
feed_subject subject_of(const nlohmann::json& from);

/// The file that keeps how far the feed is. `limit`: 0, but for those that are left of versions to
/// which the same files with another limit were another feed.
std::string state_name(const feed_subject& subject, std::uint64_t limit = 0);

/// Throws already_sent when another feed that has its state in `folder`, to the same topic, was of
/// one of these files.
void refuse_if_fed(const std::string& folder, const feed_subject& subject);

}  // namespace troupe::feed
