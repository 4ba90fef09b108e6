#include "actors/trading/parameters.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "runtime/base/ensure.hpp"

namespace troupe::trading {

namespace {

std::string allowed_text(const parameter_def& p) {
  return (p.whole ? "a whole number from " : "a number from ") + number_text(p.least) + " to " +
         number_text(p.most) + " (" + p.meaning + ')';
}

bool allowed(const parameter_def& p, double value) {
  return value >= p.least && value <= p.most && (!p.whole || value == std::floor(value));
}

std::string names_of(const std::vector<parameter_def>& declared) {
  std::string names;
  for (const auto& p : declared) (names += names.empty() ? "" : ", ") += p.name;
  return names.empty() ? "it has none" : "there are " + names;
}

}  // namespace

std::string number_text(double value) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

parameter_values::parameter_values(const std::vector<parameter_def>& declared,
                                   const given_parameters& given, std::vector<std::string>& wrong) {
  for (const auto& p : declared) {
    const auto found = given.find(p.name);
    const double value = found == given.end() ? p.usual : found->second;
    if (!allowed(p, value))
      wrong.push_back("parameter " + p.name + " is " + number_text(value) + ", and must be " +
                      allowed_text(p));
    values_[p.name] = value;
  }
  for (const auto& [name, value] : given)
    if (!values_.contains(name))
      wrong.push_back("no parameter is called " + name + "; " + names_of(declared));
}

double parameter_values::operator[](std::string_view name) const {
  const auto found = values_.find(name);
  ensure(found != values_.end(), "a parameter that the strategy does not declare");
  return found->second;
}

}  // namespace troupe::trading
