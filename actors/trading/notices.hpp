#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/entity/entity.hpp"

namespace troupe::trading {

/// Kind of the entities that carry notices outside, one a channel.
inline constexpr std::string_view notification_kind = "notification";

/// Which channels hear of what.
struct notice_rules {
  std::vector<std::string> fills;
  std::vector<std::string> risk_denials;
  std::vector<std::string> halts;           // And the end of them: every change of trading state.
  std::vector<std::string> session_phases;  // Created, started ...
  /// Orders rejected by the venue, market data lost, inputs quarantined.
  std::vector<std::string> session_failures;
  std::vector<std::string> node_deaths;
};

/// Something that people or programs outside are to hear of.
struct notice {
  std::string id;  // The same however often it is told.
  std::string_view rule;
  std::string text;  // One line for people.
  nlohmann::json facts;
};

/// The body of the message `notify`.
inline nlohmann::json json_of(const notice& n) {
  return {{"id", n.id}, {"rule", n.rule}, {"text", n.text}, {"facts", n.facts}};
}

/// Tells every one of the channels.
inline void tell_notice(const std::vector<std::string>& channels, const notice& what,
                        effects& out) {
  for (const auto& channel : channels)
    out.tell({std::string(notification_kind), channel}, {"notify", json_of(what)});
}

}  // namespace troupe::trading
