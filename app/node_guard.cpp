#include "app/node_guard.hpp"

#include <nlohmann/json.hpp>

#include "runtime/security/token.hpp"

namespace troupe::app {

std::string objection_to(const store::cluster_view& view, const std::string& id, incarnation life) {
  for (const auto& n : view.nodes)
    if (n.id == id && n.live && life < n.life)
      return "incarnation " + std::to_string(n.life.value()) + " of " + id + " at " + n.address +
             " is alive: give each node an id of its own";
  return {};
}

bool shows_token(const http::request& r, const std::string& token) {
  constexpr std::string_view scheme = "bearer ";
  const auto shown = r.header("Authorization");
  return shown && shown->size() > scheme.size() &&
         http::equal_ignoring_case(shown->substr(0, scheme.size()), scheme) &&
         security::same_secret(token, shown->substr(scheme.size()));
}

http::routes::guard_function token_guard(std::string token) {
  return [token = std::move(token)](const http::request& r) -> std::optional<http::response> {
    if (r.path == "/healthz" || r.path == "/readyz" || shows_token(r, token)) return std::nullopt;
    auto refusal = http::json(
        401, nlohmann::json{{"error", "token_required"},
                            {"detail",
                             "send the header Authorization: Bearer TOKEN, with the security.token "
                             "of this node's config"}}
                     .dump() +
                 '\n');
    refusal.headers.emplace_back("WWW-Authenticate", "Bearer");
    return refusal;
  };
}

}  // namespace troupe::app
