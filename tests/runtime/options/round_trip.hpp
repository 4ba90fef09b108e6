#pragma once

#include <doctest/doctest.h>

#include <functional>

#include "runtime/options/reader.hpp"
#include "runtime/options/reference.hpp"
#include "tests/runtime/options/config_files.hpp"

namespace troupe::testing {

/// Takes the place of any member in an initializer.
struct anything {
  template <class Member>
  operator Member() const;  // NOLINT: implicit on purpose.
};

/// How many members a struct has.
template <class Struct, class... Found>
constexpr std::size_t members() {
  if constexpr (requires { Struct{Found{}..., anything{}}; })
    return members<Struct, Found..., anything>();
  else
    return sizeof...(Found);
}

/// Fresh options, read from a document: what was wrong, and what they print afterwards.
struct round_trip {
  std::vector<std::string> problems;
  nlohmann::json printed;
};

template <class Options, class Describe>
round_trip read_and_print(const nlohmann::json& document, Describe describe) {
  Options options;
  std::vector<violation> found;
  const auto walk = [&](section& s) { describe(s, options); };
  read_section(document, {"f", variables({}), {}, found}, walk);
  round_trip out;
  for (const auto& v : found) out.problems.push_back(to_string(v));
  if (found.empty()) out.printed = nlohmann::json::parse(print_section(walk), nullptr, true, true);
  return out;
}

/// Values that one option or another might accept instead of `value`.
inline std::vector<nlohmann::json> others(const nlohmann::json& value) {
  using nlohmann::json;
  if (value.is_boolean()) return {!value.get<bool>()};
  if (value.is_number())
    return {value.get<std::int64_t>() + 1, value.get<std::int64_t>() - 1, 60'000};
  if (value.is_array()) return {json::array({"5m", "1h"}), json::array({"sma(3)"})};
  if (value.is_object()) return {json{{"store", "debug"}}, json{{"security.protocol", "ssl"}}};
  return {"localhost", "127.0.0.2", "kafka:9092", "host=h",    "debug",
          "continue",  "other",     "123.5",      "2024-02-29"};
}

/// Every option takes another value than its default, and only the member that prints it changes.
/// So no option is read into another's member, or into none.
template <class Options, class Describe>
void check_every_option(const nlohmann::json& start, Describe describe) {
  const auto before = read_and_print<Options>(start, describe);
  REQUIRE(before.problems == std::vector<std::string>{});
  const auto visit = [&](const auto& self, const nlohmann::json& at,
                         const nlohmann::json::json_pointer& path, bool group) -> void {
    if (group) {
      for (const auto& [key, inner] : at.items())
        self(self, inner, path / key, inner.is_object() && key != "client" && key != "components");
      return;
    }
    for (const auto& other : others(at)) {
      auto document = before.printed;
      document[path] = other;
      const auto after = read_and_print<Options>(document, describe);
      if (other == at || !after.problems.empty()) continue;
      CHECK(after.printed == document);
      return;
    }
    FAIL_CHECK("no other value was accepted for " << path.to_string());
  };
  visit(visit, before.printed, nlohmann::json::json_pointer(), true);
}

}  // namespace troupe::testing
