#include "runtime/options/document.hpp"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <fstream>

namespace troupe {
namespace {

using nlohmann::json;

/// `line 3, column 7` of the byte at `offset`.
std::string place(std::string_view text, std::size_t offset) {
  const auto before = text.substr(0, offset);
  const auto line = 1 + std::ranges::count(before, '\n');
  const auto line_start = before.rfind('\n') + 1;  // npos + 1 is the start of the text.
  return "line " + std::to_string(line) + ", column " + std::to_string(offset - line_start + 1);
}

/// What the parser says, without the text it has read last: that may be a secret.
std::string reason(const json::exception& error) {
  constexpr int number_overflow = 406;
  if (error.id == number_overflow) return "number out of range";
  std::string_view what = error.what();
  what = what.substr(std::min(what.find("syntax error"), what.size()));
  return std::string(what.substr(0, what.find("; last read")));
}

/// Builds the document and stops at what the grammar allows and we do not.
class builder final : public json_builder {
 public:
  builder(std::string_view text, const std::string& file, std::vector<violation>& found)
      : json_builder(config_depth_max), text_(text), file_(file), found_(found) {}

  bool key(std::string& name) override {
    json_builder::key(name);
    if (open_levels().back().value->contains(name))
      found_.push_back({file_, path(), "", "stands here twice; the key may be used once"});
    return true;
  }

  bool parse_error(std::size_t offset, const std::string&, const json::exception& error) override {
    found_.push_back({file_, place(text_, offset == 0 ? 0 : offset - 1), "", reason(error)});
    return false;
  }

 private:
  void too_deep() override {
    found_.push_back(
        {file_, path(), "", "nested deeper than " + std::to_string(config_depth_max) + " levels"});
  }

  /// A repeated key's value goes nowhere that counts.
  json& member(json& object, const std::string& key) override {
    return object.contains(key) ? ignored_.emplace_back() : object[key];
  }

  std::string path() const {
    std::string out;
    for (const auto& at : open_levels())
      if (!at.key.empty()) out += (out.empty() ? "" : ".") + shown_key(at.key);
    return out;
  }

  std::string_view text_;
  const std::string& file_;
  std::vector<violation>& found_;
  std::deque<json> ignored_;  // Values of repeated keys: their contents are checked all the same.
};

bool is_name(std::string_view text) {
  const auto fits = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
  };
  return !text.empty() && std::isdigit(static_cast<unsigned char>(text[0])) == 0 &&
         std::ranges::all_of(text, fits);
}

/// The value of what stands between `${` and `}`.
expanded variable(std::string_view inside, const environment& env) {
  const auto colon = inside.find(":-");
  const std::string name(inside.substr(0, colon));
  if (!is_name(name))
    return {"", "${...} must name an environment variable: ${NAME} or ${NAME:-default}"};
  const auto value = env(name);
  if (colon != inside.npos && (!value || value->empty()))
    return {std::string(inside.substr(colon + 2)), ""};
  if (!value) return {"", "environment variable " + name + " is not set"};
  return {*value, ""};
}

}  // namespace

environment process_environment() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    return value ? std::optional<std::string>(value) : std::nullopt;
  };
}

std::optional<std::string> read_config_text(const std::string& path,
                                            std::vector<violation>& found) {
  const auto refuse = [&](const std::string& why) {
    found.push_back({path, "", "", why});
    return std::nullopt;
  };
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (status.type() == std::filesystem::file_type::not_found) return refuse("does not exist");
  if (!std::filesystem::exists(status)) return refuse("cannot be read: " + error.message());
  if (std::filesystem::is_directory(status)) return refuse("is a folder, not a file");
  std::ifstream in(path, std::ios::binary);
  std::string text(config_bytes_max + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad() || (in.fail() && !in.eof())) return refuse("cannot be read");
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > config_bytes_max)
    return refuse("is too large: at most " + std::to_string(config_bytes_max) + " bytes");
  return text;
}

std::optional<json> parse_config(std::string_view text, const std::string& file,
                                 std::vector<violation>& found) {
  if (const auto nul = text.find('\0'); nul != text.npos) {
    found.push_back({file, place(text, nul), "", "must not hold NUL bytes"});
    return std::nullopt;
  }
  if (text.find_first_not_of(" \t\r\n") == text.npos) {
    found.push_back({file, "", "", "is empty, and must hold a JSON object: { ... }"});
    return std::nullopt;
  }
  builder build(text, file, found);
  constexpr bool strict = true, comments = true;
  if (!json::sax_parse(text.begin(), text.end(), &build, json::input_format_t::json, strict,
                       comments))
    return std::nullopt;
  if (!build.result.is_object()) {
    found.push_back({file, "", "", "must be a JSON object: { ... }"});
    return std::nullopt;
  }
  return std::move(build.result);
}

expanded expand(std::string_view raw, const environment& env) {
  expanded out;
  for (auto dollar = raw.find("${"); dollar != raw.npos; dollar = raw.find("${")) {
    if (dollar > 0 && raw[dollar - 1] == '$') {
      out.text += raw.substr(0, dollar - 1);
      out.text += "${";
      raw.remove_prefix(dollar + 2);
      continue;
    }
    const auto end = raw.find('}', dollar);
    if (end == raw.npos) return {"", "${ without }; write $${ for the characters themselves"};
    auto value = variable(raw.substr(dollar + 2, end - dollar - 2), env);
    if (!value.wrong.empty()) return value;
    out.text += raw.substr(0, dollar);
    out.text += value.text;
    raw.remove_prefix(end + 1);
  }
  out.text += raw;
  const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  if (std::ranges::any_of(out.text, control))
    return {"", "must not hold control characters (a line end in a variable?)"};
  return out;
}

std::string shown(const json& value) {
  constexpr std::size_t length_max = 120;
  if (value.is_object()) return "{...}";
  if (value.is_array()) return "[...]";
  auto text = value.dump(-1, ' ', true, json::error_handler_t::replace);
  if (text.size() > length_max) text = text.substr(0, length_max) + "...";
  return text;
}

std::string shown_key(std::string_view key) {
  const auto plain = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-' || c == '.';
  };
  if (!key.empty() && key.size() <= 64 && std::ranges::all_of(key, plain)) return std::string(key);
  return shown(std::string(key));
}

}  // namespace troupe
