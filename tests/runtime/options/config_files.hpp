#pragma once

#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "runtime/options/document.hpp"
#include "runtime/options/violation.hpp"

template <>
struct doctest::StringMaker<std::vector<std::string>> {
  static String convert(const std::vector<std::string>& lines) {
    std::string out;
    for (const auto& line : lines) out += "\n    " + line;
    return out.c_str();
  }
};

namespace troupe::testing {

/// A folder of its own that goes away with the test.
class config_folder {
 public:
  config_folder()
      : path_(std::filesystem::temp_directory_path() /
              ("troupe-options-" + std::to_string(getpid()))) {
    std::filesystem::create_directories(path_);
  }
  ~config_folder() { std::filesystem::remove_all(path_); }
  config_folder(const config_folder&) = delete;
  config_folder& operator=(const config_folder&) = delete;

  /// Writes a file; returns its path. A new one each time: file systems are slow to replace what a
  /// file holds.
  std::string write(const std::string& name, std::string_view text) const {
    const auto file = path_ / name;
    std::filesystem::remove(file);
    std::ofstream(file, std::ios::binary) << text;
    return file.string();
  }
  std::string path(const std::string& name) const { return (path_ / name).string(); }

  /// The violations as people read them, without this folder's path.
  std::vector<std::string> lines(const std::vector<violation>& found) const {
    std::vector<std::string> out;
    for (const auto& v : found) {
      auto line = to_string(v);
      for (auto at = line.find(path_.string()); at != line.npos; at = line.find(path_.string()))
        line.erase(at, path_.string().size() + 1);
      out.push_back(std::move(line));
    }
    return out;
  }

 private:
  std::filesystem::path path_;
};

/// An environment of these variables alone.
inline environment variables(std::map<std::string, std::string> all) {
  return [all = std::move(all)](const std::string& name) -> std::optional<std::string> {
    const auto found = all.find(name);
    return found == all.end() ? std::nullopt : std::optional(found->second);
  };
}

}  // namespace troupe::testing
