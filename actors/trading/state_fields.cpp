#include "actors/trading/state_fields.hpp"

#include "runtime/entity/entity.hpp"

namespace troupe::trading {

using nlohmann::json;

namespace {

[[noreturn]] void damaged(std::string_view name, const char* what) {
  throw bad_state("strategy state: " + std::string(name) + ' ' + what);
}

/// JSON has no NaN and no infinities.
json json_of(double x) {
  if (std::isfinite(x)) return x;
  if (std::isnan(x)) return nullptr;
  return x > 0 ? "inf" : "-inf";
}

double double_of(const json& from, std::string_view name) {
  if (from.is_number()) return from.get<double>();
  if (from.is_null()) return market::indicators::none;
  if (from == "inf") return HUGE_VAL;
  if (from == "-inf") return -HUGE_VAL;
  damaged(name, "is not a number");
}

template <class Number, class Save, class Load>
void list(json& at, bool save, std::string_view name, std::vector<Number>& x, Save to, Load from) {
  if (save) {
    at = json::array();
    for (const auto one : x) at.push_back(to(one));
    return;
  }
  if (!at.is_array() || at.size() != x.size()) damaged(name, "is not a list of the right length");
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = from(at[i]);
}

std::int64_t integer_of(const json& from, std::string_view name) {
  if (!from.is_number_integer()) damaged(name, "is not a whole number");
  return from.get<std::int64_t>();
}

}  // namespace

json& state_fields::slot(std::string_view name) {
  if (way_ == way::load && (!object_.is_object() || !object_.contains(name)))
    damaged(name, "is missing");
  return object_[std::string(name)];
}

void state_fields::operator()(std::string_view name, double& x) {
  auto& at = slot(name);
  if (way_ == way::save)
    at = json_of(x);
  else
    x = double_of(at, name);
}

void state_fields::operator()(std::string_view name, bool& x) {
  auto& at = slot(name);
  if (way_ == way::save)
    at = x;
  else if (at.is_boolean())
    x = at.get<bool>();
  else
    damaged(name, "is neither true nor false");
}

void state_fields::operator()(std::string_view name, std::int64_t& x) {
  auto& at = slot(name);
  if (way_ == way::save)
    at = x;
  else
    x = integer_of(at, name);
}

void state_fields::operator()(std::string_view name, fixed& x) {
  auto& at = slot(name);
  if (way_ == way::save) {
    at = to_string(x);
    return;
  }
  const auto value = at.is_string() ? parse_fixed(at.get_ref<const std::string&>()) : std::nullopt;
  if (!value) damaged(name, "is not a decimal in quotes");
  x = *value;
}

void state_fields::operator()(std::string_view name, std::vector<double>& x) {
  list(slot(name), way_ == way::save, name, x, json_of,
       [name](const json& from) { return double_of(from, name); });
}

void state_fields::operator()(std::string_view name, std::vector<std::int64_t>& x) {
  list(
      slot(name), way_ == way::save, name, x, [](std::int64_t one) { return json(one); },
      [name](const json& from) { return integer_of(from, name); });
}

void state_fields::distributor::count(std::uint32_t& x, std::uint32_t most) {
  const double value = from[at++];
  if (!(value >= 0 && value <= most) || value != std::floor(value))
    damaged(name, "holds a count out of its bounds");
  x = static_cast<std::uint32_t>(value);
}

}  // namespace troupe::trading
