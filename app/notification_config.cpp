#include "app/notification_config.hpp"

#include <set>

namespace troupe {
namespace {

using nlohmann::json;
using ops::channel_options;
using ops::channel_type;
using ops::notification_options;

constexpr std::string_view channels_allowed =
    "{\"ops\": {\"type\": \"webhook\", \"url\": \"https://...\", \"secret\": \"${OPS_SECRET}\"}}: "
    "names with a type, which is log, kafka or webhook";

bool is_channel_name(std::string_view text) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  };
  return !text.empty() && text.size() <= 32 && std::ranges::all_of(text, fits);
}

bool is_url(const std::string& text) {
  const auto scheme = text.find("://");
  const auto host = scheme == std::string::npos ? scheme : scheme + 3;
  return (text.starts_with("http://") || text.starts_with("https://")) && host < text.size() &&
         text[host] != '/' && text.find_first_of(" \t\r\n") == std::string::npos;
}

/// Adds what is wrong to `found`; values are not repeated: they may be secret.
channel_options read_channel(const json& from, const json::json_pointer& at, faults& found) {
  channel_options to;
  if (!from.is_object()) {
    found.push_back({at, "must be an object with a type: log, kafka or webhook"});
    return to;
  }
  const auto text = [&](const char* name) {
    const auto member = from.find(name);
    if (member == from.end()) return std::string();
    if (!member->is_string()) found.push_back({at / name, "must be a text"});
    return member->is_string() ? member->get<std::string>() : std::string();
  };
  const auto type = trading::parse_name<channel_type>(text("type"));
  if (!type) found.push_back({at / "type", "must be one of log, kafka, webhook"});
  to = {type.value_or(channel_type::log), text("url"), text("secret")};
  const bool webhook = to.type == channel_type::webhook;
  if (webhook && !is_url(to.url)) found.push_back({at / "url", "must be http:// or https://..."});
  if (webhook && to.secret.size() < 16)
    found.push_back({at / "secret",
                     "must be a text of at least 16 characters; take it from the "
                     "environment: \"${NAME}\""});
  for (const auto& [name, value] : from.items()) {
    const bool known = name == "type" || (webhook && (name == "url" || name == "secret"));
    if (!known && type)
      found.push_back({at / name, webhook ? "is no option of a channel: those are type, url, secret"
                                          : "is an option of webhooks only"});
  }
  return to;
}

option_def channels(std::map<std::string, channel_options, std::less<>>& member) {
  const auto take = [&member](const json& v) -> faults {
    if (!v.is_object()) return must_be(std::string(channels_allowed));
    faults found;
    std::map<std::string, channel_options, std::less<>> all;
    for (const auto& [name, written] : v.items()) {
      const auto at = json::json_pointer() / name;
      if (!is_channel_name(name))
        found.push_back({at, "a channel's name must be 1 to 32 of a-z 0-9 - _"});
      all[name] = read_channel(written, at, found);
    }
    if (found.empty()) member = std::move(all);
    return found;
  };
  option_def def{
      "channels",
      "Where notifications can go: log is a line of the node's log; kafka is a record of "
      "the topic notifications; webhook is a signed POST to url, see "
      "docs/notifications.md. Take secrets from the environment.",
      std::string(channels_allowed), json::object(), take};
  def.masked = [](std::string_view) { return std::string("***"); };
  return def;
}

void rule(section& s, const notification_options& o, const char* name,
          std::vector<std::string>& member, const char* text) {
  s.list(
      name, member, 0, "names of channels",
      [](const std::string& one) {
        return is_channel_name(one) ? std::string() : std::string("must be a channel's name");
      },
      text);
  std::string missing;
  for (const auto& one : member)
    if (!o.channels.contains(one)) missing += (missing.empty() ? "" : ", ") + one;
  s.rule(missing.empty(), name, {"channels"}, "channels has no " + missing);
}

void describe_rules(section& s, notification_options& o) {
  auto& [fills, risk_denials, halts, session_phases, session_failures, node_deaths] = o.rules;
  rule(s, o, "fills", fills, "Channels that hear of every fill of every portfolio.");
  rule(s, o, "risk_denials", risk_denials,
       "Channels that hear of every order that the risk check refuses.");
  rule(
      s, o, "halts", halts,
      "Channels that hear when a portfolio's trading is halted, reduced or resumed, by an operator "
      "or by the drawdown limit.");
  rule(s, o, "session_phases", session_phases,
       "Channels that hear when a session is created, started, paused, resumed, stopped, deleted.");
  rule(s, o, "session_failures", session_failures,
       "Channels that hear when a session's order is rejected by the venue, when market data was "
       "lost before the session could read it, or when an input on which it fails is quarantined.");
  rule(s, o, "node_deaths", node_deaths,
       "Channels that hear when a node of the cluster is declared dead.");
}

void describe(section& s, notification_options& o) {
  s.option(channels(o.channels));
  describe_rules(s, o);
  auto& [timeout, backoff, backoff_max, attempts_max, age_max, queue_max, ids_remembered] =
      o.delivery;
  constexpr std::int64_t hour_ms = 3'600'000;
  s.duration("timeout_ms", timeout, {100, 60'000},
             "How long a webhook's receiver may take to answer. Longer suits slow receivers; after "
             "a crash what was under way is sent again after twice this time.");
  s.duration("backoff_ms", backoff, {10, hour_ms},
             "Wait after the first failed attempt; it doubles with each, and is shortened by up to "
             "half by lot. Shorter delivers sooner after a short outage.");
  s.duration("backoff_max_ms", backoff_max, {10, 24 * hour_ms},
             "The longest wait between two attempts. Longer spares a receiver in trouble.");
  s.number("attempts_max", attempts_max, {1, 1'000, "attempts"},
           "After so many failed attempts a notification is given up: it goes to the dead-letter "
           "topic.");
  s.duration("age_max_s", age_max, {1, 30 * 86'400},
             "A notification that could not be delivered for so long is given up.");
  s.number("queue_max", queue_max, {1, 10'000, "notifications"},
           "Notifications that wait in one channel; beyond it the oldest is given up. More rides "
           "out longer outages, and is written with every change of the channel's state.");
  s.number("ids_remembered", ids_remembered, {1, 100'000, "ids"},
           "Ids of a channel's last notifications: one that is told again with the same id is not "
           "delivered again. More is written with every change of the channel's state.");
  s.rule(backoff <= backoff_max, "backoff_ms", {"backoff_max_ms"},
         "must be at most backoff_max_ms = " + std::to_string(backoff_max.count()));
}

}  // namespace

domain_section notification_section(ops::notification_options& options) {
  return {"notifications", "What is told to the outside, and where.",
          [&options](section& s) { describe(s, options); }};
}

}  // namespace troupe
