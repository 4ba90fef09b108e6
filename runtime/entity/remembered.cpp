#include "runtime/entity/remembered.hpp"

#include "runtime/base/fingerprint.hpp"

namespace troupe {

std::string remembered::to_text() const {
  return nlohmann::json{{"asked", asked}, {"answer", answer}}.dump();
}

remembered remembered::of_text(const std::string& text) {
  auto kept = nlohmann::json::parse(text);
  const bool noted =
      kept.is_object() && kept.size() == 2 && kept.contains("asked") && kept.contains("answer");
  if (!noted) return {{}, std::move(kept)};
  return {kept.at("asked").get<std::string>(), std::move(kept.at("answer"))};
}

std::string remembered::name_of(const entity_id& to, const message& what) {
  return to_string(to).append(1, ' ').append(what.type).append(1, ' ').append(
      fingerprint(what.body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)));
}

}  // namespace troupe
