#pragma once

#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>

namespace troupe::app {

/// Why something was not done: a name of docs/operations.md, what is wrong and what to do about it.
class failure : public std::runtime_error {
 public:
  /// `more`: an object of what else is told to those who read JSON.
  failure(std::string name, const std::string& detail,
          nlohmann::json more = nlohmann::json::object());

  const std::string& name() const { return name_; }
  /// `{"error", "detail"}` and what else is told.
  nlohmann::json as_json() const;

 private:
  std::string name_;
  nlohmann::json more_;
};

/// What the command line asks for makes no sense, whatever files, nodes and data there are.
struct wrong_arguments : failure {
  static constexpr const char* named = "wrong_arguments";
  explicit wrong_arguments(const std::string& detail) : failure(named, detail) {}
};

/// A file that is not there, is a folder, or may not be read.
struct unreadable_file : failure {
  explicit unreadable_file(const std::string& detail) : failure("unreadable_file", detail) {}
};

/// What stands in a file (or in the data of several) is not what was asked for.
struct unusable_file : failure {
  explicit unusable_file(const std::string& detail) : failure("unusable_file", detail) {}
};

/// A file or folder that cannot be written.
struct unwritable_file : failure {
  explicit unwritable_file(const std::string& detail) : failure("unwritable_file", detail) {}
};

/// What an answer of a node says when it is a refusal; `{"error", ...}` becomes a failure that has
/// all of it.
void throw_refusal(const nlohmann::json& answer);

/// What any exception means to a user, in our words.
failure as_failure(const std::exception& e);

/// `/x/y.csv: is a folder, not a file`, and whatever else keeps a file from being read; empty:
/// nothing.
std::string reading_trouble(const std::string& path);
/// The text of a file. Throws unreadable_file.
std::string read_text_file(const std::string& path);

/// The text with each control character but the line's end as an escape, so that names and reasons
/// of others cannot move the cursor.
std::string printable(std::string_view text);

}  // namespace troupe::app
