#include "actors/trading/sweep_order.hpp"

#include <cmath>
#include <stdexcept>

#include "actors/trading/messages.hpp"
#include "actors/trading/risk_limits.hpp"
#include "actors/trading/session_fields.hpp"

namespace troupe::trading {

using nlohmann::json;

namespace {

constexpr double values_max = 10'000;  // Of an axis.

double number_of(const std::string& text, const std::string& whole) {
  const auto value = parse_fixed(text);
  if (!value)
    throw std::runtime_error("--sweep " + whole + ": \"" + text +
                             "\" is no number; write NAME=FROM:TO:STEP, such as fast=5:50:5");
  return value->to_double();
}

/// Reads the elements of a list, each an object.
template <class Value>
void read_list(field_reader& from, std::string_view name, std::vector<Value>& to) {
  const auto* list = from.member(name, presence::required);
  if (list == nullptr) return;
  if (!list->is_array() || list->empty()) return from.refuse(name, "must be a list of objects");
  for (std::size_t i = 0; i < list->size(); ++i)
    if (auto one = parse<Value>((*list)[i], from.wrong(),
                                from.path_of(name) + '[' + std::to_string(i) + ']'))
      to.push_back(std::move(*one));
}

}  // namespace

sweep_axis parse_axis(const std::string& text) {
  const auto equals = text.find('='), colon = text.find(':', equals),
             second = text.find(':', colon + 1);
  if (equals == std::string::npos || colon == std::string::npos || second == std::string::npos)
    throw std::runtime_error("--sweep " + text + ": write NAME=FROM:TO:STEP, such as fast=5:50:5");
  const double from = number_of(text.substr(equals + 1, colon - equals - 1), text),
               to = number_of(text.substr(colon + 1, second - colon - 1), text),
               step = number_of(text.substr(second + 1), text);
  if (step <= 0 || to < from || (to - from) / step > values_max)
    throw std::runtime_error("--sweep " + text +
                             ": TO must not be below FROM, STEP above 0, and both give at most "
                             "10,000 values");
  sweep_axis axis{text.substr(0, equals), {}};
  // Counted, so that rounding never loses the last one; and cut to what was written.
  const auto count = static_cast<int>(std::floor((to - from) / step + 1e-9));
  for (int i = 0; i <= count; ++i) axis.values.push_back(std::round((from + i * step) * 1e8) / 1e8);
  return axis;
}

std::int64_t count_combinations(const std::vector<sweep_axis>& axes) {
  std::int64_t count = 1;
  for (const auto& axis : axes) {
    count *= static_cast<std::int64_t>(axis.values.size());
    if (count > combinations_max) return count;
  }
  return count;
}

given_parameters combination(const given_parameters& base, const std::vector<sweep_axis>& axes,
                             std::int64_t number) {
  auto one = base;
  auto rest = static_cast<std::size_t>(number);
  for (auto axis = axes.rbegin(); axis != axes.rend(); ++axis) {
    one[axis->name] = axis->values[rest % axis->values.size()];
    rest /= axis->values.size();
  }
  return one;
}

json json_of(const backtest_settings& v) {
  json instruments = json::array();
  for (const auto& one : v.session.instruments) instruments.push_back(json_of(one));
  return {{"session", json_of(v.session)}, {"instruments", std::move(instruments)},
          {"cash", to_string(v.cash)},     {"limits", to_json(v.limits)},
          {"venue", json_of(v.venue)},     {"days_per_year", v.days_per_year}};
}

void read(field_reader& from, backtest_settings& to) {
  read_member(from, "session", to.session);
  read_list(from, "instruments", to.session.instruments);
  from.decimal("cash", to.cash, fixed());
  if (const auto* limits = from.member("limits", presence::required))
    if (auto read = parse_limits(*limits, from.path_of("limits"), from.wrong()))
      to.limits = std::move(*read);
  read_member(from, "venue", to.venue);
  std::int64_t days = to.days_per_year;
  from.whole("days_per_year", days, 1, 366);
  to.days_per_year = static_cast<int>(days);
}

json json_of(const sweep_axis& v) {
  return {{"name", v.name}, {"values", v.values}};
}

void read(field_reader& from, sweep_axis& to) {
  from.text("name", to.name);
  const auto* values = from.member("values", presence::required);
  if (values == nullptr) return;
  if (!values->is_array() || values->empty() ||
      static_cast<double>(values->size()) > values_max + 1)
    return from.refuse("values", "must be a list of up to 10001 numbers");
  for (const auto& one : *values) {
    if (!one.is_number()) return from.refuse("values", "must be numbers");
    to.values.push_back(one.get<double>());
  }
}

json json_of(const sweep_order& v) {
  json axes = json::array();
  for (const auto& axis : v.axes) axes.push_back(json_of(axis));
  return {{"data", v.data}, {"settings", json_of(v.settings)}, {"axes", std::move(axes)}};
}

void read(field_reader& from, sweep_order& to) {
  from.text("data", to.data);
  read_member(from, "settings", to.settings);
  read_list(from, "axes", to.axes);
}

void read(field_reader& from, run_order& to) {
  from.text("data", to.data);
  read_member(from, "settings", to.settings);
  const auto* given = from.member("parameters", presence::required);
  if (given == nullptr) return;
  if (!given->is_object()) return from.refuse("parameters", "must be an object of numbers");
  to.settings.session.parameters.clear();
  for (const auto& [name, value] : given->items()) {
    if (!value.is_number()) return from.refuse("parameters", "must be numbers");
    to.settings.session.parameters[name] = value.get<double>();
  }
}

std::string objection(const backtest_settings& settings, std::span<const symbol_data> data) {
  const auto answer = check(settings.session);
  if (answer.refusal != session_refusal::none)
    return std::string(name_of(answer.refusal)) + ": " + answer.detail;
  const auto& wanted = settings.session.instruments;
  for (std::size_t i = 0; i < std::max(wanted.size(), data.size()); ++i) {
    const auto asked = i < wanted.size() ? wanted[i].symbol : "nothing";
    const auto found = i < data.size() ? data[i].rules.symbol : "nothing";
    if (asked != found)
      return "wrong_data: where the run wants " + asked + " the recording has " + found;
  }
  return {};
}

}  // namespace troupe::trading
