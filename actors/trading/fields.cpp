#include "actors/trading/fields.hpp"

#include <algorithm>

#include "runtime/codec/text.hpp"

namespace troupe::trading {

namespace {

using nlohmann::json;

const json& empty_object() {
  static const json none = json::object();
  return none;
}

/// What stands in a document, for people: cut when it is long.
std::string shown(const json& value) {
  constexpr std::size_t longest = 80;
  auto text = value.dump(-1, ' ', true, json::error_handler_t::replace);
  if (text.size() > longest) text.replace(longest, std::string::npos, "...");
  return text;
}

std::optional<std::int64_t> whole_of(const json& value) {
  if (!value.is_number_integer()) return std::nullopt;
  if (value.is_number_unsigned() && value.get<std::uint64_t>() > INT64_MAX) return std::nullopt;
  return value.get<std::int64_t>();
}

/// A decimal as text, or a whole number.
std::optional<wide> units_of(const json& value) {
  if (value.is_string()) return parse_wide(value.get_ref<const std::string&>());
  if (const auto whole = whole_of(value)) return wide{*whole} * fixed::scale;
  return std::nullopt;
}

}  // namespace

std::string to_string(const field_fault& f) {
  const auto field = f.field.empty() ? std::string("document") : f.field;
  return field + (f.value.empty() ? " is missing" : " = " + f.value) + ": " + f.allowed;
}

std::string to_string(const faults& all) {
  std::string text;
  for (const auto& f : all) text.append(text.empty() ? "" : "; ").append(to_string(f));
  return text;
}

field_reader::field_reader(const json& object, std::string path, faults& wrong)
    : object_(object.is_object() ? object : empty_object()), path_(std::move(path)), wrong_(wrong) {
  if (object.is_object()) return;
  usable_ = false;
  wrong_.push_back({path_, shown(object), "must be an object"});
}

std::string field_reader::path_of(std::string_view name) const {
  return path_.empty() ? std::string(name) : path_ + '.' + std::string(name);
}

void field_reader::refuse(std::string_view name, std::string allowed) {
  const auto found = object_.find(name);
  wrong_.push_back(
      {path_of(name), found == object_.end() ? "" : shown(*found), std::move(allowed)});
}

const json* field_reader::member(std::string_view name, presence p) {
  known_.push_back(name);
  const auto found = object_.find(name);
  if (found != object_.end()) return &*found;
  if (p == presence::required && usable_) refuse(name, "must be given");
  return nullptr;
}

const std::string* field_reader::text_of(std::string_view name, presence p) {
  const auto* found = member(name, p);
  if (found == nullptr || found->is_string())
    return found == nullptr ? nullptr : found->get_ptr<const std::string*>();
  refuse(name, "must be a text");
  return nullptr;
}

field_reader& field_reader::text(std::string_view name, std::string& to, presence p) {
  const auto* found = text_of(name, p);
  if (found == nullptr) return *this;
  constexpr std::size_t longest = 1000;
  if (found->size() <= longest && storable_or_empty(*found).size() == found->size()) {
    to = *found;
  } else {
    refuse(name, "must be UTF-8 of at most 1000 bytes without NUL");
  }
  return *this;
}

field_reader& field_reader::name(std::string_view name, std::string& to, presence p) {
  const auto* found = text_of(name, p);
  if (found == nullptr) return *this;
  if (is_name(*found)) {
    to = *found;
  } else {
    refuse(name, "must be 1 to 256 bytes of UTF-8 without control characters");
  }
  return *this;
}

field_reader& field_reader::flag(std::string_view name, bool& to, presence p) {
  const auto* found = member(name, p);
  if (found == nullptr) return *this;
  if (found->is_boolean()) {
    to = found->get<bool>();
  } else {
    refuse(name, "must be true or false");
  }
  return *this;
}

field_reader& field_reader::whole(std::string_view name, std::int64_t& to, std::int64_t min,
                                  std::int64_t max, presence p) {
  const auto* found = member(name, p);
  if (found == nullptr) return *this;
  const auto value = whole_of(*found);
  if (value && *value >= min && *value <= max) {
    to = *value;
  } else {
    refuse(name,
           "must be a whole number from " + std::to_string(min) + " to " + std::to_string(max));
  }
  return *this;
}

field_reader& field_reader::decimal(std::string_view name, fixed& to, fixed min, presence p) {
  const auto* found = member(name, p);
  if (found == nullptr) return *this;
  const auto value = units_of(*found);
  if (value && *value >= min.raw() && *value <= INT64_MAX) {
    to = fixed::from_raw(static_cast<std::int64_t>(*value));
  } else {
    refuse(name, "must be a decimal with at most 8 places, as text, not below " + to_string(min));
  }
  return *this;
}

field_reader& field_reader::amount(std::string_view name, money& to, presence p) {
  const auto* found = member(name, p);
  if (found == nullptr) return *this;
  if (const auto value = units_of(*found)) {
    to = *value;
  } else {
    refuse(name, "must be a decimal with at most 8 places, as text");
  }
  return *this;
}

field_reader& field_reader::time(std::string_view name, time_point& to, presence p) {
  // Sums of times and latencies stay far from the ends of their range.
  constexpr std::int64_t latest = INT64_MAX / 4;
  std::int64_t micros = to_micros(to);
  const auto before = wrong_.size();
  whole(name, micros, -latest, latest, p);
  if (wrong_.size() == before) to = from_micros(micros);
  return *this;
}

void field_reader::finish() {
  for (const auto& [name, value] : object_.items())
    if (std::find(known_.begin(), known_.end(), name) == known_.end())
      refuse(name, "is not known here");
}

}  // namespace troupe::trading
