#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "actors/trading/money.hpp"
#include "actors/trading/order.hpp"

namespace troupe::trading {

/// One thing that is wrong with a JSON document.
struct field_fault {
  std::string field;    // `symbols.SPY.price_step`; empty: the whole.
  std::string value;    // As it was written; empty: missing.
  std::string allowed;  // What would be right.
  bool operator==(const field_fault&) const = default;
};
using faults = std::vector<field_fault>;
using troupe::to_string;  // This namespace adds to them.
/// `limit = "x": must be a decimal above 0`
std::string to_string(const field_fault& f);
std::string to_string(const faults& all);

enum class presence : std::uint8_t { required, optional };

/// Reads the members of one JSON object and gathers all that is wrong with them; never throws on
/// input. Members that are not allowed stay as they are. Decimals are texts ("12.5") or whole
/// numbers.
class field_reader {
 public:
  /// `path` names the object in faults.
  field_reader(const nlohmann::json& object, std::string path, faults& wrong);

  field_reader& text(std::string_view name, std::string& to, presence p = presence::required);
  /// A text that is fit to name an entity.
  field_reader& name(std::string_view name, std::string& to, presence p = presence::required);
  field_reader& flag(std::string_view name, bool& to, presence p = presence::optional);
  field_reader& whole(std::string_view name, std::int64_t& to, std::int64_t min, std::int64_t max,
                      presence p = presence::required);
  field_reader& decimal(std::string_view name, fixed& to, fixed min,
                        presence p = presence::required);
  field_reader& amount(std::string_view name, money& to, presence p = presence::required);
  field_reader& time(std::string_view name, time_point& to, presence p = presence::required);
  template <class Enum>
  field_reader& choice(std::string_view name, Enum& to, presence p = presence::required) {
    const auto* found = text_of(name, p);
    if (found == nullptr) return *this;
    if (const auto value = parse_name<Enum>(*found)) {
      to = *value;
    } else {
      refuse(name, one_of(names_of<Enum>::list));
    }
    return *this;
  }
  /// A member that is no scalar, to be read with a reader of its own; null pointer: absent.
  const nlohmann::json* member(std::string_view name, presence p = presence::optional);
  /// Refuses every member that nobody has asked for.
  void finish();

  void refuse(std::string_view name, std::string allowed);
  std::string path_of(std::string_view name) const;
  const nlohmann::json& object() const { return object_; }
  faults& wrong() { return wrong_; }

 private:
  const std::string* text_of(std::string_view name, presence p);
  template <class Names>
  static std::string one_of(const Names& names) {
    std::string all = "must be one of";
    for (std::size_t i = 0; i < names.size(); ++i) all.append(i == 0 ? " " : ", ").append(names[i]);
    return all;
  }

  const nlohmann::json& object_;
  std::string path_;
  faults& wrong_;
  std::vector<std::string_view> known_;
  bool usable_ = true;
};

}  // namespace troupe::trading
