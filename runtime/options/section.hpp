#pragma once

#include <algorithm>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/base/ensure.hpp"

namespace troupe {

/// What an option does not accept.
struct fault {
  /// Element of a list or map, there or missing; empty: the value itself.
  nlohmann::json::json_pointer at;
  std::string allowed;  // "must be ..."
};
using faults = std::vector<fault>;
/// The value itself is wrong: it `must be` something else.
inline faults must_be(const std::string& allowed) {
  return {fault{nlohmann::json::json_pointer(), "must be " + allowed}};
}

/// One option, described once: read, checked and documented from here.
struct option_def {
  std::string name;      // Its key; ends in its unit.
  std::string text;      // What it does and what more or less of it costs.
  std::string allowed;   // "100 to 600000 ms"
  nlohmann::json value;  // What the member holds now: its default, before anything is read.
  /// Puts a value into the member, or says what is wrong with it and leaves the member alone.
  std::function<faults(const nlohmann::json&)> take;
  bool required = false;
  /// What may be printed of a value that may hold a secret; nothing: all of it.
  std::function<std::string(std::string_view)> masked{};
};

struct bounds {
  std::int64_t min;
  std::int64_t max;
  std::string unit{};
};

/// Which texts an option accepts.
struct text_rule {
  std::string allowed;
  std::function<bool(std::string_view)> accepts;
  bool required = false;
  std::function<std::string(std::string_view)> masked{};  // As in option_def.
};

template <class Enum>
using choices = std::vector<std::pair<std::string_view, Enum>>;

template <class Enum>
std::optional<Enum> find_choice(const choices<Enum>& names, std::string_view word) {
  for (const auto& [name, value] : names)
    if (name == word) return value;
  return std::nullopt;
}

/// The options of one JSON object, seen by whoever walks over their descriptions: a reader, or a
/// printer of the reference. A describing function names every member of its struct once, in the
/// order in which people should read them.
class section {
 public:
  virtual ~section() = default;

  virtual void option(option_def def) = 0;
  /// The file that is being read; empty when none is.
  virtual std::string file() const { return {}; }
  /// An object inside this one.
  virtual void group(const std::string& name, const std::string& text,
                     const std::function<void(section&)>& inside) = 0;
  /// A relation between options that have been described above; broken, it is a violation of
  /// `name`. It is not judged when `name` or one of `with` could not be read.
  virtual void rule(bool holds, const std::string& name, const std::vector<std::string>& with,
                    const std::string& allowed) = 0;

  template <std::integral Number>
  void number(std::string name, Number& member, bounds range, std::string text) {
    ensure(std::in_range<Number>(range.min) && std::in_range<Number>(range.max), "range fits");
    number_option(std::move(name), static_cast<std::int64_t>(member), std::move(range),
                  std::move(text), [&member](std::int64_t n) { member = static_cast<Number>(n); });
  }

  template <class Period>
  void duration(std::string name, std::chrono::duration<std::int64_t, Period>& member, bounds range,
                std::string text) {
    using unit = std::chrono::duration<std::int64_t, Period>;
    range.unit = std::is_same_v<unit, std::chrono::seconds> ? "s" : "ms";
    ensure(name.ends_with('_' + range.unit), "the name tells the unit");
    number_option(std::move(name), member.count(), std::move(range), std::move(text),
                  [&member](std::int64_t n) { member = unit(n); });
  }

  void flag(std::string name, bool& member, std::string text);

  void text(std::string name, std::string& member, const text_rule& rule, std::string text);
  template <class Enum>
  void choice(std::string name, Enum& member, const choices<Enum>& names, std::string text) {
    std::string allowed;
    for (const auto& [word, value] : names)
      allowed += (allowed.empty() ? "one of " : ", ") + std::string(word);
    const auto now = std::ranges::find(names, member, &choices<Enum>::value_type::second);
    ensure(now != names.end(), "the default has a name");
    const auto accepts = [names](std::string_view word) {
      return find_choice(names, word).has_value();
    };
    text_option(std::move(name), std::string(now->first), {allowed, accepts}, std::move(text),
                [names, &member](std::string_view word) { member = *find_choice(names, word); });
  }

  /// A list without repetitions. `wrong` says what is wrong with an element, or nothing.
  void list(std::string name, std::vector<std::string>& member, std::size_t length_min,
            std::string allowed, std::function<std::string(const std::string&)> wrong,
            std::string text);

 private:
  void number_option(std::string name, std::int64_t value, bounds range, std::string text,
                     std::function<void(std::int64_t)> store);
  void text_option(std::string name, std::string value, text_rule rule, std::string text,
                   std::function<void(std::string_view)> store);
};

/// Options of a part that this layer does not know: a group of the cluster's file that its owner
/// describes. The members that `describe` names receive what the file says.
struct domain_section {
  std::string name;
  std::string text;
  std::function<void(section&)> describe;
};

}  // namespace troupe
