#pragma once

#include <nlohmann/json_fwd.hpp>

#include "actors/trading/fields.hpp"
#include "actors/trading/session.hpp"

namespace troupe::trading {

// The JSON forms of what a session trades and how, as states hold them, and of its orders, as the
// portfolio tells of them, too. A session's settings leave out its instruments.
nlohmann::json json_of(const instrument& v);
nlohmann::json json_of(const session_settings& v);
nlohmann::json json_of(const own_order& v);
void read(field_reader& from, instrument& to);
void read(field_reader& from, session_settings& to);
void read(field_reader& from, own_order& to);

}  // namespace troupe::trading
