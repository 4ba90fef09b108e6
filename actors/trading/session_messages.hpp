#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "actors/trading/fields.hpp"
#include "actors/trading/risk_entity.hpp"
#include "actors/trading/risk_limits.hpp"
#include "actors/trading/session.hpp"
#include "runtime/entity/ingress.hpp"

namespace troupe::trading {

/// Ingress: commands to sessions, keyed by the session's name; docs/trading.md has their form.
inline constexpr std::string_view session_commands_topic = "session.commands";
/// Egress: what sessions have been commanded and what they answered, keyed by the session's name.
inline constexpr std::string_view session_events_topic = "session.events";

/// Where a new session begins to read the logs of its symbols.
struct session_start {
  bool from_now = true;
  std::int64_t offset = 0;  // Otherwise: the first that it reads.
};

/// The body of `create`, as users write it.
struct create_session {
  session_settings settings;         // Instruments are not filled in.
  std::vector<std::string> symbols;  // That it is to trade.
  session_start start;
};

/// Reads the body of `create` for the session of this name. Gathers everything that has not the
/// right form; what the values mean is judged by `check`.
create_session read_create(const nlohmann::json& body, std::string_view name, faults& wrong);

/// Looks up the instruments and judges the whole; the refusal of highest precedence is told.
/// `limits`: as operators write them, without faults.
session_answer complete(create_session& wish, const nlohmann::json& limits);

/// Decoder of session.commands. Records that are no commands to a session are refused:
/// `malformed_json`, `missing_field`, `bad_field`, `wrong_key`, `not_a_session`, `unknown_command`.
std::unique_ptr<decoder> make_session_command_decoder();

/// What a command is called when it is done: `started`.
std::string_view done_name(session_command c);

}  // namespace troupe::trading
