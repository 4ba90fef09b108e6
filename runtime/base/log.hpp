#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>

namespace troupe::log {

enum class level : std::uint8_t { trace, debug, info, warn, error, off };

/// Who writes lines; each may have a level of its own.
inline constexpr std::array<std::string_view, 7> components{
    "bridge", "cluster", "entity", "http", "node", "notification", "store"};
constexpr bool is_component(std::string_view name) {
  return std::ranges::find(components, name) != components.end();
}

/// One of them; no other name compiles.
class component {
 public:
  consteval component(const char* name) : name_(name) {
    if (!is_component(name)) throw "log::components has no such name";
  }
  constexpr operator std::string_view() const { return name_; }

 private:
  std::string_view name_;
};

/// One `name=value` of a log line.
struct field {
  std::string_view name;
  std::string value;

  field(std::string_view n, std::string_view v) : name(n), value(v) {}
  field(std::string_view n, const std::string& v) : name(n), value(v) {}
  field(std::string_view n, const char* v) : name(n), value(v) {}
  field(std::string_view n, bool v) : name(n), value(v ? "true" : "false") {}
  template <class Number>
  requires std::is_arithmetic_v<Number> field(std::string_view n, Number v)
      : name(n), value(std::to_string(v)) {}
  template <class Id>
  requires requires(Id id) { id.value(); }
  field(std::string_view n, Id v) : name(n), value(std::to_string(v.value())) {}
};

using fields = std::initializer_list<field>;

/// Writes one line: time, level, component, event, fields. The event is a fixed name such as
/// `commit_failed`; what varies goes into fields. The same event of a component is written at most
/// `set_rate_max` times a second; the next line after that says how many were suppressed.
/// Thread-safe.
void write(level l, component who, std::string_view event, fields f = {});

/// The same without that limit: for what is bounded elsewhere and must not be left out.
void write_always(level l, component who, std::string_view event, fields f = {});

inline void debug(component c, std::string_view e, fields f = {}) {
  write(level::debug, c, e, f);
}
inline void info(component c, std::string_view e, fields f = {}) {
  write(level::info, c, e, f);
}
inline void warn(component c, std::string_view e, fields f = {}) {
  write(level::warn, c, e, f);
}
inline void error(component c, std::string_view e, fields f = {}) {
  write(level::error, c, e, f);
}

/// The level of all components that have none of their own. Default: info.
void set_level(level l);
/// The level of one component.
void set_level(std::string_view name, level l);
/// Lines a second of one event. Default 20; 0 means no limit.
void set_rate_max(std::uint32_t lines);
/// Appends to a file instead of standard error. Throws std::runtime_error with the path when it
/// cannot be opened.
void set_file(const std::string& path);

/// Parses `debug`, `info` ...; returns false for anything else.
bool parse_level(std::string_view text, level& out);

}  // namespace troupe::log
