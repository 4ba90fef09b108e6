#include "runtime/options/section.hpp"

#include <set>

namespace troupe {
namespace {

std::string range_text(const bounds& range) {
  const auto unit = range.unit.empty() ? "" : ' ' + range.unit;
  return std::to_string(range.min) + " to " + std::to_string(range.max) + unit;
}

faults list_faults(const nlohmann::json& value, std::size_t length_min, const std::string& allowed,
                   const std::function<std::string(const std::string&)>& wrong) {
  if (!value.is_array() || value.size() < length_min) return must_be("a list: " + allowed);
  faults found;
  std::set<std::string> seen;
  for (std::size_t i = 0; i < value.size(); ++i) {
    const nlohmann::json::json_pointer at('/' + std::to_string(i));
    if (!value[i].is_string()) {
      found.push_back({at, "must be a text: " + allowed});
    } else if (auto reason = wrong(value[i].get<std::string>()); !reason.empty()) {
      found.push_back({at, std::move(reason)});
    } else if (!seen.insert(value[i].get<std::string>()).second) {
      found.push_back({at, "stands in the list already"});
    }
  }
  return found;
}

}  // namespace

void section::number_option(std::string name, std::int64_t value, bounds range, std::string text,
                            std::function<void(std::int64_t)> store) {
  const auto allowed = range_text(range);
  const auto take = [range, allowed, store = std::move(store)](const nlohmann::json& v) -> faults {
    if (!v.is_number_integer()) return must_be("a whole number, " + allowed);
    if (v.is_number_unsigned() && !std::in_range<std::int64_t>(v.get<std::uint64_t>()))
      return must_be(allowed);
    const auto n = v.get<std::int64_t>();
    if (n < range.min || n > range.max) return must_be(allowed);
    store(n);
    return {};
  };
  option({std::move(name), std::move(text), allowed, value, take});
}

void section::text_option(std::string name, std::string value, text_rule rule, std::string text,
                          std::function<void(std::string_view)> store) {
  const auto take = [rule, store = std::move(store)](const nlohmann::json& v) -> faults {
    if (!v.is_string()) return must_be("a text: " + rule.allowed);
    const auto& word = v.get_ref<const std::string&>();
    if (!rule.accepts(word)) return must_be(rule.allowed);
    store(word);
    return {};
  };
  option({std::move(name), std::move(text), rule.allowed, std::move(value), take, rule.required,
          rule.masked});
}

void section::flag(std::string name, bool& member, std::string text) {
  const auto take = [&member](const nlohmann::json& v) -> faults {
    if (!v.is_boolean()) return must_be("true or false");
    member = v.get<bool>();
    return {};
  };
  option({std::move(name), std::move(text), "true or false", member, take});
}

void section::text(std::string name, std::string& member, const text_rule& rule, std::string text) {
  text_option(std::move(name), member, rule, std::move(text),
              [&member](std::string_view word) { member = word; });
}

void section::list(std::string name, std::vector<std::string>& member, std::size_t length_min,
                   std::string allowed, std::function<std::string(const std::string&)> wrong,
                   std::string text) {
  const auto take = [=, &member](const nlohmann::json& v) {
    auto found = list_faults(v, length_min, allowed, wrong);
    if (found.empty()) member = v.get<std::vector<std::string>>();
    return found;
  };
  option({std::move(name), std::move(text), allowed, member, take});
}

}  // namespace troupe
