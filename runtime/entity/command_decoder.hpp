#pragma once

#include <memory>

#include "runtime/entity/ingress.hpp"

namespace troupe {

/// Decoder of a command topic: records `{"to": "kind/key", "type": "...", "id": "...", "body":
/// {...}}`, keyed by the entity's key. `id` is optional; with one, the command has one effect
/// however often it is sent. Refuses `malformed_json`, `missing_field`, `bad_field`, `wrong_key`.
std::unique_ptr<decoder> make_command_decoder();

}  // namespace troupe
