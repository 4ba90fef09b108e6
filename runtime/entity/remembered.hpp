#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "runtime/entity/entity.hpp"

namespace troupe {

/// What is kept under a request's id once the request has had its effect.
struct remembered {
  std::string asked;  // See `name_of`. Empty: kept before this was noted.
  nlohmann::json answer;

  /// As the store keeps it: {"asked": ..., "answer": ...}; of old the bare answer.
  std::string to_text() const;
  static remembered of_text(const std::string& text);

  /// "KIND/KEY TYPE DIGEST": the same for a request that is repeated as it was. The digest is that
  /// of the body.
  static std::string name_of(const entity_id& to, const message& what);
};

}  // namespace troupe
