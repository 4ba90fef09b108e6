#include "runtime/entity/remembered.hpp"

#include <array>
#include <cstdio>

namespace troupe {

namespace {

/// FNV-1a, 64 bits, hexadecimal. It tells mistakes apart, not forgeries.
std::string digest_of(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  std::array<char, 17> out{};
  std::snprintf(out.data(), out.size(), "%016llx", static_cast<unsigned long long>(hash));
  return out.data();
}

}  // namespace

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
      digest_of(what.body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)));
}

}  // namespace troupe
