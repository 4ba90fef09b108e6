#include "app/feed/fed_files.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <utility>

#include "app/failure.hpp"
#include "app/feed/state_file.hpp"
#include "runtime/base/fingerprint.hpp"

namespace troupe::feed {

namespace {

using nlohmann::json;
namespace fs = std::filesystem;

/// Another feed, as far as its state tells.
struct earlier_feed {
  feed_subject of;
  bool done = false;
};

bool same_file(const fed_file& a, const fed_file& b) {
  return a.size == b.size && a.changed == b.changed && (a.path == b.path || a.inode == b.inode);
}

bool same_topic(const feed_subject& a, const feed_subject& b) {
  return a.brokers == b.brokers && a.topic_prefix == b.topic_prefix && a.shards == b.shards;
}

bool has(const std::vector<fed_file>& files, const fed_file& file) {
  return std::any_of(files.begin(), files.end(),
                     [&](const fed_file& other) { return same_file(other, file); });
}

bool sent_anything(const json& state) {
  if (!state.value("settled", state.at("done").get<bool>())) return true;  // Nobody knows.
  const auto& lanes = state.at("lanes");
  return std::any_of(lanes.begin(), lanes.end(),
                     [](const json& lane) { return lane.at(1).get<std::uint64_t>() > 0; });
}

/// The files of a state that does not tell them (older versions wrote such) can be guessed from its
/// name when it is of one file.
feed_subject only_file_of(const std::string& name, const feed_subject& mine) {
  feed_subject one{mine.brokers, mine.topic_prefix, mine.shards, {}};
  for (const auto& file : mine.files) {
    one.files.assign(1, file);
    if (state_name(one) == name) return one;
  }
  one.files.clear();
  return one;
}

/// Nothing: it sent nothing.
std::optional<earlier_feed> read_feed(const fs::path& path, const feed_subject& mine) {
  try {
    const auto state = json::parse(app::read_text_file(path.string()));
    if (!sent_anything(state)) return std::nullopt;
    return earlier_feed{state.contains("of") ? subject_of(state.at("of"))
                                             : only_file_of(path.filename().string(), mine),
                        state.at("done").get<bool>()};
  } catch (const json::exception&) {
    throw app::unusable_file(path.string() +
                             ": is damaged, so nobody knows what was sent; delete it when none of "
                             "these files was fed before");
  }
}

std::vector<earlier_feed> earlier_feeds(const std::string& folder, const feed_subject& mine) {
  std::vector<earlier_feed> all;
  for (const auto& entry : fs::directory_iterator(folder.empty() ? "." : folder)) {
    const auto name = entry.path().filename().string();
    if (!name.starts_with("feed-") || !name.ends_with(".json")) continue;
    if (auto found = read_feed(entry.path(), mine); found && same_topic(found->of, mine))
      all.push_back(std::move(*found));
  }
  return all;
}

/// The first few, and how many more.
std::string list(const std::vector<fed_file>& files) {
  constexpr std::size_t shown = 5;
  std::string text;
  for (std::size_t i = 0; i < std::min(shown, files.size()); ++i)
    (text += i == 0 ? "" : " ") += files[i].path;
  if (files.size() > shown) text += " and " + std::to_string(files.size() - shown) + " more";
  return text;
}

[[noreturn]] void refuse(const std::vector<fed_file>& sent, const std::vector<fed_file>& others,
                         const earlier_feed& by) {
  std::string remedies;
  if (!others.empty()) remedies += "name only the others (" + list(others) + "), or ";
  if (!by.done) remedies += "repeat that command to go on with it, or ";
  throw app::failure("already_sent", list(sent) + ": fed before, " + sent.front().path +
                                         " by `troupe feed " + list(by.of.files) +
                                         "`; nothing was sent now: " + remedies +
                                         "give --again to send all of these files once more");
}

}  // namespace

void refuse_same_file_twice(const std::vector<std::string>& paths) {
  std::map<std::pair<dev_t, ino_t>, std::string> seen;
  for (const auto& path : paths) {
    struct stat s {};
    if (::stat(path.c_str(), &s) != 0) continue;
    const auto [first, is_new] = seen.emplace(std::pair{s.st_dev, s.st_ino}, path);
    if (!is_new)
      throw app::wrong_arguments(path + ": is given twice" +
                                 (first->second == path ? "" : ", as " + first->second + ", too") +
                                 "; each of its records would be sent twice");
  }
}

feed_subject subject_of(const app::settings& all, const std::vector<std::string>& paths) {
  feed_subject subject{
      all.cluster.kafka.brokers, all.cluster.kafka.topic_prefix, all.cluster.shards, {}};
  for (const auto& path : paths) {
    struct stat s {};
    if (::stat(path.c_str(), &s) != 0)
      throw app::unreadable_file(path + ": does not exist any more");
    subject.files.push_back(
        {fs::canonical(path).string(), s.st_size,
         std::to_string(s.st_mtim.tv_sec) + '.' + std::to_string(s.st_mtim.tv_nsec),
         std::to_string(s.st_dev) + ':' + std::to_string(s.st_ino)});
  }
  return subject;
}

json to_json(const feed_subject& subject) {
  auto files = json::array();
  for (const auto& f : subject.files)
    files.push_back(
        {{"path", f.path}, {"size", f.size}, {"changed", f.changed}, {"inode", f.inode}});
  return {{"brokers", subject.brokers},
          {"topic_prefix", subject.topic_prefix},
          {"shards", subject.shards},
          {"files", std::move(files)}};
}

feed_subject subject_of(const json& from) {
  feed_subject subject{from.at("brokers").get<std::string>(),
                       from.at("topic_prefix").get<std::string>(),
                       from.at("shards").get<std::uint32_t>(),
                       {}};
  for (const auto& f : from.at("files"))
    subject.files.push_back({f.at("path").get<std::string>(), f.at("size").get<std::int64_t>(),
                             f.at("changed").get<std::string>(), f.at("inode").get<std::string>()});
  return subject;
}

std::string state_name(const feed_subject& subject, std::uint64_t limit) {
  std::string text = subject.brokers + '\n' + subject.topic_prefix + '\n' +
                     std::to_string(subject.shards) + '\n' + std::to_string(limit) + '\n';
  for (const auto& f : subject.files)
    text += f.path + '\n' + std::to_string(f.size) + '\n' + f.changed + '\n';
  return "feed-" + fingerprint(text) + ".json";
}

void refuse_if_fed(const std::string& folder, const feed_subject& subject) {
  const auto before = earlier_feeds(folder, subject);
  std::vector<fed_file> sent, others;
  const earlier_feed* first = nullptr;
  for (const auto& file : subject.files) {
    const auto by = std::find_if(before.begin(), before.end(),
                                 [&](const earlier_feed& f) { return has(f.of.files, file); });
    (by == before.end() ? others : sent).push_back(file);
    if (by != before.end() && first == nullptr) first = &*by;
  }
  if (first != nullptr) refuse(sent, others, *first);
}

}  // namespace troupe::feed
