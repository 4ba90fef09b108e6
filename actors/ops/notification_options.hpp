#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "actors/trading/fields.hpp"
#include "actors/trading/notices.hpp"

namespace troupe::ops {

/// How a channel reaches the outside.
enum class channel_type : std::uint8_t {
  log = 0,      // A line of the node's log.
  kafka = 1,    // A record of the topic `notifications`.
  webhook = 2,  // A POST to somebody's server.
};

struct channel_options {
  channel_type type = channel_type::log;
  std::string url;     // Webhooks only ...
  std::string secret;  // ... and what their requests are signed with.
};

/// How hard a channel tries.
struct delivery_options {
  std::chrono::milliseconds timeout{10'000};  // Of one attempt.
  std::chrono::milliseconds backoff{1'000};   // After the first failure; doubles.
  std::chrono::milliseconds backoff_max{300'000};
  std::int64_t attempts_max = 20;
  std::chrono::seconds age_max{86'400};
  std::size_t queue_max = 1'000;
  std::size_t ids_remembered = 1'000;
};

struct notification_options {
  std::map<std::string, channel_options, std::less<>> channels;
  trading::notice_rules rules;
  delivery_options delivery;
};

}  // namespace troupe::ops

template <>
struct troupe::trading::names_of<troupe::ops::channel_type> {
  static constexpr std::array<std::string_view, 3> list{"log", "kafka", "webhook"};
};
