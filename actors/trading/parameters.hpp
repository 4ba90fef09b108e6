#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::trading {

/// One number that a strategy can be given.
struct parameter_def {
  std::string name;
  double usual = 0, least = 0, most = 0;
  bool whole = false;
  std::string meaning;  // With its unit.
};

/// Parameters as somebody gave them.
using given_parameters = std::map<std::string, double, std::less<>>;

/// A value for each of a strategy's parameters.
class parameter_values {
 public:
  /// What was given, and the usual value for the rest. Appends to `wrong` a sentence for each name
  /// that is not declared and each value that is not allowed, saying what is.
  parameter_values(const std::vector<parameter_def>& declared, const given_parameters& given,
                   std::vector<std::string>& wrong);

  /// Requires: declared.
  double operator[](std::string_view name) const;
  std::uint32_t count(std::string_view name) const {
    return static_cast<std::uint32_t>((*this)[name]);
  }
  const given_parameters& all() const { return values_; }

 private:
  given_parameters values_;
};

/// `12`, `0.5`: shortest text that reads back to the same number.
std::string number_text(double value);

}  // namespace troupe::trading
