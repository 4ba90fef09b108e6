#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace troupe {

/// Levels of objects and lists in a document from outside. Whatever copies, prints or compares a
/// document takes a stack frame a level: without a bound one text could end the process.
inline constexpr std::size_t json_depth_max = 32;
/// The same for what nodes tell each other: documents from outside in envelopes of ours.
inline constexpr std::size_t json_inside_depth_max = 4 * json_depth_max;
/// No text is longer, whoever sends it; records, links and config files have narrower limits.
inline constexpr std::size_t json_bytes_max = 104'857'600;

struct json_limits {
  std::size_t depth_max = json_depth_max;
  std::size_t bytes_max = json_bytes_max;
  bool comments = false;  // Whether // and /* */ are skipped.
};

/// A document, or why there is none.
struct parsed_json {
  nlohmann::json value;
  std::string wrong;  // `is nested deeper than 32 levels`; empty: there is a document.
  bool ok() const { return wrong.empty(); }
};

/// Parses what came from outside. Never throws on input. Of a key that stands twice the last value
/// counts.
parsed_json parse_json(std::string_view text, json_limits limits = {});
/// The same for what must be an object.
parsed_json parse_json_object(std::string_view text, json_limits limits = {});

/// Builds a document and ends the parsing where it would become too deep.
class json_builder : public nlohmann::json_sax<nlohmann::json> {
 public:
  using json = nlohmann::json;

  explicit json_builder(std::size_t depth_max) : depth_max_(depth_max) {}

  json result;

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(json::number_integer_t value) override { return add(value); }
  bool number_unsigned(json::number_unsigned_t value) override { return add(value); }
  bool number_float(json::number_float_t value, const std::string&) override { return add(value); }
  bool string(std::string& value) override { return add(std::move(value)); }
  bool binary(json::binary_t&) override { return false; }
  bool start_object(std::size_t) override { return open(json::object()); }
  bool start_array(std::size_t) override { return open(json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(std::string& name) override {
    open_.back().key = name;
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const json::exception&) override {
    return false;
  }

 protected:
  struct level {
    json* value;
    std::string key;  // The last one in it; empty in a list.
  };
  /// From the document's root to where we are.
  const std::vector<level>& open_levels() const { return open_; }

 private:
  virtual void too_deep() = 0;
  /// Where the value of a key goes.
  virtual json& member(json& object, const std::string& key) { return object[key]; }

  json* put(json value) {
    if (open_.empty()) return &(result = std::move(value));
    auto& [parent, key] = open_.back();
    if (parent->is_array()) return &parent->emplace_back(std::move(value));
    return &(member(*parent, key) = std::move(value));
  }
  bool add(json value) { return put(std::move(value)) != nullptr; }

  bool open(json empty) {
    if (open_.size() == depth_max_) {
      too_deep();
      return false;
    }
    auto* const inner = put(std::move(empty));
    open_.push_back({inner, {}});
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  const std::size_t depth_max_;
  std::vector<level> open_;
};

}  // namespace troupe
