#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace troupe::feed {

/// A small JSON file that survives crashes: replaced as a whole, on disk when `save` returns. While
/// this object lives no other process can have the same file.
class state_file {
 public:
  /// Makes the folder. Throws std::runtime_error when another process has the file, or on trouble
  /// with the disk.
  state_file(const std::string& folder, const std::string& name);
  ~state_file();
  state_file(const state_file&) = delete;
  state_file& operator=(const state_file&) = delete;

  /// Nothing when there is none yet. Throws when it is damaged.
  std::optional<nlohmann::json> load() const;
  void save(const nlohmann::json& state) const;
  const std::string& path() const { return path_; }

 private:
  std::string folder_, path_;
  int lock_ = -1;
};

/// While this lives nobody else passes the gate of the folder, which must be there: for what is
/// looked up in all of its files before one of them is written. Waits for who is in it.
class folder_gate {
 public:
  explicit folder_gate(const std::string& folder);
  ~folder_gate();
  folder_gate(const folder_gate&) = delete;
  folder_gate& operator=(const folder_gate&) = delete;

 private:
  int lock_ = -1;
};

}  // namespace troupe::feed
