#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "runtime/base/ids.hpp"

namespace troupe {

/// What is kept under a request's id once the request has had its effect.
struct remembered {
  std::string asked;  // "KIND/KEY TYPE". Empty: kept before this was noted.
  nlohmann::json answer;

  /// As the store keeps it: {"asked": ..., "answer": ...}; of old the bare answer.
  std::string to_text() const;
  static remembered of_text(const std::string& text);

  static std::string name_of(const entity_id& to, std::string_view type);
};

}  // namespace troupe
