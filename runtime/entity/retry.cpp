#include "runtime/entity/retry.hpp"

namespace troupe {

namespace {
constexpr std::string_view prefix = "quarantine:";
}  // namespace

std::string retry_id(std::int64_t entry, std::string_view attempt, std::string_view original) {
  return std::string(prefix)
      .append(std::to_string(entry))
      .append("/")
      .append(attempt)
      .append(":")
      .append(original);
}

std::string effect_id(std::string_view request) {
  if (!request.starts_with(prefix)) return std::string(request);
  const auto attempt = request.find('/');
  const auto original = attempt == request.npos ? request.npos : request.find(':', attempt);
  if (original == request.npos) return std::string(request);
  // A retry may have failed and be given back in its turn.
  if (original + 1 < request.size()) return effect_id(request.substr(original + 1));
  return std::string(request.substr(0, attempt));
}

}  // namespace troupe
